"""Measured numbers in README and docs/ are those of the showcase or of the benchmarks."""

import json
import re
from statistics import mean

import pandas as pd

from benchmarks.search.judged import JUDGES
from benchmarks.search.judgements import LIMIT, read_judged
from hpo.search.learning_curves.further_search import SMALL_GAIN
from hpo.storage.paths import SHOWCASE
from tests.tools.markdown_pages import GUIDES, README, ROOT, MarkdownPage, doc, table_cells

METRICS = json.loads((ROOT / SHOWCASE / "metrics.json").read_text())
HISTORY = pd.read_csv(ROOT / SHOWCASE / "metrics.csv").set_index("epoch")
TRIALS = pd.read_csv(ROOT / SHOWCASE / "trials.csv")
AHEAD = METRICS["ppca_bpd"] - METRICS["test_bpd"]


def test_metrics_in_the_readme_are_the_showcases() -> None:
    shown = table_cells(README.section("What a VAE is"))
    assert {"val_bpd", "test_bpd", "ppca_bpd", "test_rate_nats", "test_mse", "sigma"} <= shown.keys()
    for name, value in shown.items():
        _, _, decimals = value.partition(".")
        assert value == f"{METRICS[name]:.{len(decimals)}f}", name


def test_numbers_in_the_text_are_the_showcases() -> None:
    first, last, hyperparameters = HISTORY.loc[1], HISTORY.iloc[-1], METRICS["hyperparameters"]
    assert f"{'It beats' if AHEAD > 0 else 'It does not beat'} the linear model, by {abs(AHEAD):.3f}" in README.prose
    assert f"chose a β of {hyperparameters['beta']:.2f}" in README.prose
    assert f"latent dimensions in use, of {hyperparameters['latent_dim']}" in README.text
    assert (
        f"From epoch 1 to {METRICS['epochs']} the validation error falls from {first['val_mse']:.4f} to "
        f"{last['val_mse']:.4f}. The rate climbs from {first['val_rate_nats']:.1f} to {last['val_rate_nats']:.1f} nats"
    ) in doc("pictures").prose
    assert (f"In the showcase there were {count_configurations()}; the choice fell on trial {METRICS['trial']}") in doc(
        "search"
    ).prose


def count_configurations() -> str:
    """Count the configurations in the showcase's table, and those that were trained to the end."""
    ended = TRIALS[~TRIALS["state"].isin(["running", "waiting"])]
    n_tried = ended[["continues", "confirms"]].isna().all(axis=1).sum()
    n_finished = ((ended["state"] == "complete") & ended["confirms"].isna()).sum()
    return f"{n_tried} configurations in {len(ended)} trials, {n_finished} of them trained to the end"


def first_trial_of(number: int) -> int:
    """Return the first trial of the configuration that a trial continues."""
    continues = TRIALS.set_index("trial")["continues"].dropna()
    while number in continues:
        number = int(continues[number])
    return number


def test_the_text_has_no_other_measured_number() -> None:
    """A number of three decimals or more is a measurement; each stands once, in a claim that is checked above."""
    checked = [f"{abs(AHEAD):.3f}", *(f"{value:.4f}" for value in HISTORY["val_mse"].iloc[[1, -1]])]
    found = [number for page in GUIDES for number in re.findall(r"(?<![\d.])\d+\.\d{3,}", page.prose)]
    assert sorted(found) == sorted(checked)


def test_speeds_are_those_of_the_benchmark() -> None:
    results = MarkdownPage("benchmarks/RESULTS.md").text
    rows = re.findall(r"^\| (.+?) \| ([\d,]+) \| ([\d,]+) \|$", doc("performance").text, re.MULTILINE)
    assert len(rows) == 5
    for _, small, large in rows:
        assert re.search(rf"\| {small} \| {large} \|", results), (small, large)


def test_gains_of_a_further_search_are_those_of_the_replays() -> None:
    doublings = json.loads((ROOT / "benchmarks/results/search_gain.json").read_text())
    rows = re.findall(r"^\| (\d+) to (\d+) \| (\d\.\d) \| (\d\.\d) \|$", doc("search").text, re.MULTILINE)
    assert [int(first) for first, *_ in rows] == [16, 32]
    for first, last, expected, reached in rows:
        assert int(last) == 2 * int(first)
        some = [each for each in doublings if each["n"] == int(first)]
        means = [mean(each[name] for each in some) for name in ("expected", "reached")]
        assert [f"{1000 * gain:.1f}" for gain in means] == [expected, reached]
    little = [each["reached"] for each in doublings if each["expected"] < SMALL_GAIN]
    assert len(little) == 8 and f"{mean(little):.4f}" == "0.0003" and max(little) < 0.001


def test_searches_before_the_judges_are_those_of_the_replays() -> None:
    named = {
        "ours": "ours",
        "TPE with our pauses": "promotion_tpe",
        "TPE with the median pruner": "tpe_median",
        "Syne Tune's ASHA with BORE": "syne_tune_bore",
        "Syne Tune's ASHA with BOHB's densities": "syne_tune_kde",
        "SMAC3": "smac",
        "random search": "random",
    }
    found = {(each.method, each.judge): each for each in read_judged()}
    rows = re.findall(
        r"^\| (.+?) \| (.+? \(\d+\)) \| (.+? \(\d+\)) \| (.+? \(\d+\)) \|$", doc("search").text, re.MULTILINE
    )
    assert [name for name, *_ in rows] == list(named)
    ratios = json.loads((ROOT / "benchmarks/results/search.json").read_text())["compute_to_target_ratio"]
    random, median = (ratios[name]["median"] for name in ("random", "tpe_median"))
    told = f"Random search takes {random:.0f} times as long, TPE with the median pruner {median:.1f} times."
    assert told in doc("search").prose
    for name, *cells in rows:
        for judge, cell in zip(JUDGES, cells, strict=True):
            each = found[named[name], judge]
            _, median, _ = each.to_target
            assert each.n_repetitions == 20
            assert cell == f"{f'{median:.1f}' if median < LIMIT else f'over {LIMIT:.0f}'} ({each.n_reached})"


def test_the_way_to_the_default_model_is_that_of_the_ablation() -> None:
    ablation = MarkdownPage("benchmarks/ABLATION.md").text
    rows = re.findall(r"^\| ([^|]+) \| (\d\.\d\d) \|$", doc("model").text, re.MULTILINE)
    assert len(rows) == 9
    for name, score in rows:
        (measured,) = re.findall(rf"^\| {re.escape(name)} \|(?:[^|]*\|){{5}} ([\d.]+) \|", ablation, re.MULTILINE)
        assert score == f"{float(measured):.2f}", name


def test_the_showcase_page_has_the_numbers_of_its_files() -> None:
    page = (ROOT / SHOWCASE / "README.md").read_text()
    for name, digits in (("val_bpd", 3), ("test_bpd", 3), ("ppca_bpd", 3), ("test_mse", 5), ("test_rate_nats", 1)):
        assert f"{METRICS[name]:.{digits}f}" in page
    assert f"{count_configurations()} " in page
    own = TRIALS.set_index("trial")["val_bpd"][METRICS["trial"]]
    chosen = f"val_bpd {own:.3f} after {METRICS['trial_epochs']:g} epochs"
    assert chosen in page
    if TRIALS["confirms"].isna().all():
        return
    seeds = TRIALS[TRIALS["state"] == "complete"].groupby("confirms")["val_bpd"]
    n_seeds = seeds.size().max()
    means = seeds.mean()[seeds.size() == n_seeds].sort_values()
    finished = TRIALS[(TRIALS["state"] == "complete") & TRIALS["confirms"].isna()]["trial"]
    by_first = {first_trial_of(number): number for number in finished}
    assert by_first[means.index[0]] == METRICS["trial"]
    assert f"{chosen}, {means.iloc[0]:.3f} by the mean of {n_seeds} new seeds" in page
    if len(means) > 1:
        assert f"next came trial {by_first[means.index[1]]} with {means.iloc[1]:.3f}" in page
