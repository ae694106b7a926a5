"""Retrain regrets as a page, benchmarks/REGRET.md, and their numbers."""

import json
from collections.abc import Mapping

from benchmarks.search.table import N_EPOCHS
from benchmarks.tables import FOLDER, RESULTS
from model.atomic_files import write_text

PAGE, REGRETS, SEARCH = FOLDER / "REGRET.md", RESULTS / "search_regret.json", RESULTS / "search.json"
# In epochs.
BUDGETS = (30, 60, 150, 300)
UNTUNED = "untuned values"
# By budget: median and quartiles in bits per dimension, None before a training has finished.
OfMethod = dict[str, dict[str, float | None]]
# By table, judge and method.
Regrets = dict[str, dict[str, dict[str, OfMethod]]]
_TASKS = {
    "cifar10": "All of CIFAR-10, `norm_free`, the network of earlier versions, half a cosine",
    "sample": "The bundled sample, 4,500 training images, `linear_skip`, the default, schedule-free Adam",
    "plain": "The bundled sample, `plain`, the tutorial's network, schedule-free Adam",
}
_HEAD = """# Retrain regret

Written by `python -m benchmarks.search.regret` from [results/search_regret.json](results/search_regret.json): do not
edit.

A search stops after so many epochs of compute, and the configuration that it would retrain is taken. Its *regret* is
how far its score at full length, {epochs} epochs, lies above that of the best configuration in the table, in bits per
dimension, by models of the table ("judges") that have no noise there: functions drawn from a Gaussian process, another
one in each repetition; random forests; nearest neighbours. It is below zero where a model holds that there is better
than what the table has. Medians (quartiles) over {repetitions} searches; "-" before a training has finished.

Every search begins with the tutorial's values and then the {untuned}, as a new study does. *promotion_random* and
*promotion_tpe* are ours with another sampler; these three train the untuned values to the end, know their budget, and
keep some of it to train their best configuration to the end, all as `make tune` does. The others are described in
[SEARCH.md](SEARCH.md).
"""


def read_regrets() -> Regrets:
    """Return the numbers so far."""
    found: Regrets = json.loads(REGRETS.read_text())["retrain_regret"] if REGRETS.exists() else {}
    return found


def write_regrets(found: Regrets, n_repetitions: int) -> None:
    """Replace the numbers, their copy in search.json, and the page."""
    write_text(REGRETS, json.dumps({"n_repetitions": n_repetitions, "retrain_regret": found}, indent=1) + "\n")
    if SEARCH.exists():
        numbers = json.loads(SEARCH.read_text()) | {"retrain_regret": found}
        write_text(SEARCH, json.dumps(numbers, indent=2) + "\n")
    write_text(PAGE, page())


def page() -> str:
    """Return the page of the numbers."""
    told = json.loads(REGRETS.read_text())
    parts = [_HEAD.format(epochs=N_EPOCHS, repetitions=told["n_repetitions"], untuned=f"*{UNTUNED}*")]
    for task, judges in told["retrain_regret"].items():
        parts += [f"## {_TASKS[task]}", _table(judges)]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _table(judges: Mapping[str, Mapping[str, OfMethod]]) -> str:
    rows = [
        [judge, method, *(_shown(budgets[str(budget)]) for budget in BUDGETS)]
        for judge, methods in judges.items()
        for method, budgets in methods.items()
    ]
    head = ["judge", "", *(f"{budget} epochs" for budget in BUDGETS)]
    rule = ["---", "---", *("---:" for _ in BUDGETS)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *rows))


def _shown(regret: Mapping[str, float | None]) -> str:
    low, median, high = ("-" if regret[name] is None else f"{regret[name]:.3f}" for name in ("low", "median", "high"))
    return f"{median} ({low}, {high})"
