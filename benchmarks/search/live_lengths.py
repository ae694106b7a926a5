"""Two lengths of a trial, for real: `CIFAR10_ROOT=… python -m benchmarks.search.live_lengths`. Give it again to go on.

Of each pair one search has trials of three epochs and retrains its best for twenty, the other has trials of twenty
epochs. Both run `hpo tune` and then `hpo retrain` on the default study's space with all of CIFAR-10, on one core each.
Which one is the default is decided by val_bpd; test_bpd is reported.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from benchmarks.jsonl import append, read
from benchmarks.machine import describe, find_machine
from benchmarks.tables import FOLDER, RESULTS, table
from hpo.config.study_file import find_config
from hpo.storage.paths import StudyPaths
from model.atomic_files import write_text

LIVE, PAGE = RESULTS / "search_lengths.jsonl", FOLDER / "LENGTHS.md"
STUDY, N_PAIRS, N_EPOCHS = "cifar10", 3, 20
REPOSITORY = Path(__file__).resolve().parents[2]
# Epochs of a trial, and epochs between its reports.
ARMS: dict[str, tuple[int, float]] = {"trials of 3 epochs": (3, 0.5), "trials of 20 epochs": (N_EPOCHS, 1.0)}
_COMMANDS = ("tune", "retrain")
_KEPT = ("val_bpd", "test_bpd", "ppca_bpd", "hyperparameters", "trial")


def main(minutes: Annotated[float, typer.Option(help="Of each search.", min=1)] = 15.0) -> None:
    """Run the pairs that are missing."""
    runtime, root = find_machine("cpu")
    done = {line["pair"] for line in read(LIVE)}
    for pair in (pair for pair in range(N_PAIRS) if pair not in done):
        with tempfile.TemporaryDirectory() as folder:
            running = {arm: _begin(Path(folder), arm, pair, minutes, root) for arm in ARMS}
            if any(list(map(subprocess.Popen.wait, running.values()))):
                typer.echo("".join(path.read_text() for path in Path(folder).glob("*/log")), err=True)
                raise typer.Exit(1)
            # Both before the first is added: a pair that has a line counts as done.
            found = {arm: _found(Path(folder) / _name(arm)) for arm in ARMS}
            for arm, result in found.items():
                line = {"pair": pair, "arm": arm, "minutes": minutes, **result}
                append(LIVE, line | describe(runtime) | {"threads": 1})
                typer.echo(f"{pair} {arm}: {result['val_bpd']:.4f}")
    write_text(PAGE, page(read(LIVE)))


def _name(arm: str) -> str:
    return f"length{ARMS[arm][0]}"


def _begin(folder: Path, arm: str, pair: int, minutes: float, root: Path) -> subprocess.Popen[bytes]:
    name, (epochs, report_every) = _name(arm), ARMS[arm]
    study = yaml.safe_load(find_config(STUDY).read_text()) | {
        "seed": pair,
        "training": {"epochs": epochs, "report_every": report_every},
        "retrain": {"epochs": N_EPOCHS, "seed": 1000 + pair},
        "budget": {"timeout_minutes": minutes},
    }
    (folder / name).mkdir()
    (folder / name / f"{name}.yaml").write_text(yaml.safe_dump(study))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY), "CIFAR10_ROOT": str(root)}
    commands = " && ".join(f'date +%s > {command}.began && "$0" -m hpo {command} {name}.yaml' for command in _COMMANDS)
    with (folder / name / "log").open("wb") as log:
        shell = ["sh", "-c", f"{commands} && date +%s > ended", sys.executable]
        return subprocess.Popen(shell, cwd=folder / name, env=environment, stdout=log, stderr=log)


def _found(folder: Path) -> dict[str, Any]:
    from hpo.storage.backend import existing_study

    tune, retrain, ended = (int((folder / name).read_text()) for name in ("tune.began", "retrain.began", "ended"))
    paths = StudyPaths(folder / "results" / folder.name)
    metrics = json.loads(paths.best.metrics_json.read_text())
    study = existing_study(folder.name, paths)
    assert study is not None, "it was searched"
    with_values = [trial for trial in study.get_trials(deepcopy=False) if trial.values]
    return {
        **{name: metrics[name] for name in _KEPT},
        "n_trials": len(study.trials),
        "n_ended": len(with_values),
        "tune_s": retrain - tune,
        "retrain_s": ended - retrain,
    }


def page(lines: Sequence[dict[str, Any]]) -> str:
    """Return the page as Markdown."""
    head = ["pair", "", "trials", "ended", "d", "β", "rate", "batch", "val_bpd", "test_bpd", "pPCA of d"]
    return f"""# How long a trial should be

Written by `python -m benchmarks.search.live_lengths` from [results/](results/): do not edit.

Pairs of searches, `hpo tune` itself on the default study's space with all of CIFAR-10, side by side for
{lines[0]["minutes"]:g} minutes on one core each, and then the best trial retrained for {N_EPOCHS} epochs with a new
seed ({lines[0]["device"]}, {lines[0]["kind"]}, {lines[0]["precision"]}). Scores are those of the retrained models.

{table(head, [_row(line) for line in lines])}"""


def _row(line: dict[str, Any]) -> list[str]:
    values = line["hyperparameters"]
    return [
        f"{line['pair'] + 1}",
        line["arm"],
        f"{line['n_trials']}",
        f"{line['n_ended']}",
        f"{values['latent_dim']}",
        f"{values['beta']:.2f}",
        f"{values['learning_rate']:.4f}",
        f"{values['batch_size']}",
        *(f"{line[name]:.4f}" for name in ("val_bpd", "test_bpd", "ppca_bpd")),
    ]


if __name__ == "__main__":
    typer.run(main)
