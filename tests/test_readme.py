"""What the README promises is there."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
import yaml

from hpo.config_file import read_config
from hpo.paths import StudyPaths

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def test_every_make_command_names_a_target_and_variables_that_exist() -> None:
    code = "\n".join(re.findall(r"```.*?```|`[^`]+`", README, re.DOTALL))
    commands = re.findall(r"\bmake ([a-z-]+(?: [A-Z]+=[^\s`]+)*)", code)
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    variables = set(re.findall(r"^([A-Z]+) *=", MAKEFILE, re.MULTILINE))
    named = {command.split()[0] for command in commands}
    assert {"tune", "best-retrain", "dashboard", "test", "check", "help"} <= named
    assert named <= targets
    assert {pair.partition("=")[0] for command in commands for pair in command.split()[1:]} <= variables


def test_every_study_that_is_named_is_shipped() -> None:
    named = set(re.findall(r"`(\w+)\.yaml`", README)) | set(re.findall(r"STUDY=(\w+)", README))
    assert named
    assert named <= {path.stem for path in (ROOT / "study_configs").glob("*.yaml")}


def test_the_study_file_shown_loads_as_it_stands(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "shown.yaml"
    path.write_text(shown)
    config = read_config(path)
    assert set(yaml.safe_load(shown)["hyperparameters"]) == set(config.hyperparameters.entries())


def test_the_files_shown_are_those_that_are_written() -> None:
    (tree,) = re.findall(r"```\nresults/<study>/\n(.*?)```", README, re.DOTALL)
    paths = StudyPaths.of("study")
    best = paths.best
    for path in (
        paths.database,
        best.animation_gif,
        best.frames,
        best.samples_gif,
        best.samples_frames,
        best.interpolations,
        best.traversals,
        best.latent_pca,
        best.latent_tsne,
        best.kl_per_dimension,
        best.loss_curves,
        best.reconstructions,
        best.samples,
        best.metrics_json,
        best.metrics_csv,
        best.config,
        best.model,
    ):
        assert path.name in tree


@pytest.mark.parametrize("page", ["README.md", "data/README.md", "results/showcase/README.md"])
def test_links_to_files_resolve(page: str) -> None:
    text = (ROOT / page).read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("https://") or (ROOT / page).parent.joinpath(target).exists(), target


def test_the_showcase_tells_the_numbers_of_its_files() -> None:
    folder = ROOT / "results" / "showcase"
    page, metrics = (folder / "README.md").read_text(), json.loads((folder / "metrics.json").read_text())
    trials = pd.read_csv(folder / "trials.csv")
    for name, digits in (("val_bpd", 3), ("test_bpd", 3), ("ppca_bpd", 3), ("test_mse", 5), ("test_rate_nats", 1)):
        assert f"{metrics[name]:.{digits}f}" in page
    assert f"{metrics['test_bpd']:.3f} bits per dimension on the test split" in README
    finished = trials[trials["state"] == "complete"].sort_values("val_bpd")
    assert metrics["trial"] == finished.iloc[0]["trial"] == 0
    assert f"val_bpd {finished.iloc[0]['val_bpd']:.3f} after 3 epochs" in page
    assert f"trial {finished.iloc[1]['trial']} with {finished.iloc[1]['val_bpd']:.3f}" in page
    n_pruned, n_ended = (trials["state"] == "pruned").sum(), (trials["state"] != "running").sum()
    assert f"{n_ended} trials ended, {n_pruned} of them pruned" in page
