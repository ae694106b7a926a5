"""What the README says is so: its links, the files it shows, its reference of a study's file, its numbers."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from pydantic import BaseModel

from hpo.config.hyperparameters import Choices, Range
from hpo.config.schema import StudyConfig
from hpo.config.study_file import read_config
from hpo.storage.paths import ExportPaths, RunPaths, StudyPaths

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
SHOWCASE = ROOT / "results" / "showcase"
METRICS = json.loads((SHOWCASE / "metrics.json").read_text())
# Each a whole study; what one of them sets, the other leaves at its default.
MINIMAL: tuple[dict[str, Any], ...] = (
    {"budget": {"trials": 3}, "hyperparameters": {"beta": {"low": 0.1, "high": 1.0}}},
    {"budget": {"timeout_minutes": 3}, "hyperparameters": {"latent_dim": {"low": 1, "high": 2}}},
)


def section(heading: str) -> str:
    """The text below a heading, up to the next one."""
    return README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def table(text: str) -> dict[str, str]:
    """Rows of a text's tables that begin with a name in backticks: the second cell by that name."""
    return dict(re.findall(r"^\| `([^`]+)` \| ([^|]+?) \|", text, re.MULTILINE))


def prose(text: str) -> str:
    """A text as one line, without code, links' targets and the rows of tables."""
    without = re.sub(r"```.*?```", " ", text, flags=re.DOTALL)
    without = re.sub(r"`[^`]*`|\]\([^)]*\)|^\|.*$", " ", without, flags=re.MULTILINE)
    return " ".join(without.split())


@pytest.mark.parametrize("page", ["README.md", "data/README.md", "results/showcase/README.md", "benchmarks/RESULTS.md"])
def test_links_to_files_resolve(page: str) -> None:
    text = (ROOT / page).read_text()
    targets = re.findall(r"\]\(([^)#]+)\)", text)
    assert targets or "](" not in text
    for target in targets:
        assert target.startswith("https://") or (ROOT / page).parent.joinpath(target).exists(), target


def test_links_within_the_page_lead_to_a_heading() -> None:
    headings = re.findall(r"^## (.+)$", README, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    linked = set(re.findall(r"\]\(#([^)]+)\)", README))
    assert len(linked) >= 10
    assert linked <= anchors


def test_the_animation_is_on_top_and_every_picture_of_the_showcase_is_shown() -> None:
    shown = re.findall(r"!\[[^\]]+\]\(results/showcase/([^)]+)\)", README)
    assert shown[0] == "reconstruction_progress.gif"
    assert README.index(shown[0]) < README.index("\n## ")
    assert set(shown[1:]) == {path.name for path in SHOWCASE.glob("*.png")}


def test_every_study_that_is_named_is_shipped() -> None:
    named = set(re.findall(r"`(\w+)\.yaml`", README)) | set(re.findall(r"STUDY=(\w+)", README))
    assert {"quick", "cifar10", "gpu"} <= named
    # `mine` is the reader's own; `config.yaml` is of a run.
    assert named - {"mine", "config"} <= {path.stem for path in (ROOT / "study_configs").glob("*.yaml")}


def test_the_files_shown_are_those_that_are_written() -> None:
    (tree,) = re.findall(r"```\nresults/<study>/\n(.*?)```", README, re.DOTALL)
    _, _, below_best = tree.partition("  best/")
    while_it_is_made = {"lock", "under_way", "state"}
    names = set(properties(RunPaths)) - while_it_is_made
    of_a_run = {getattr(StudyPaths.of("study").best, name).name for name in names}
    of_a_study = {getattr(StudyPaths.of("study"), name).name for name in ("database", "yardstick", "checkpoints")}
    study = StudyPaths.of("study")
    of_a_study |= {str(study.report.relative_to(study.folder))}
    of_a_study |= {getattr(study.export, name).name for name in properties(ExportPaths)}
    shown = set(re.findall(r"\b(\w+\.(?:html|gif|mp4|png|json|csv|yaml|pt|db)|\w+_frames)\b", below_best))
    assert shown == of_a_run
    assert all(name in tree for name in of_a_study)


def properties(paths: type) -> list[str]:
    return [name for name in dir(paths) if isinstance(getattr(paths, name), property)]


def test_files_of_the_code_map_exist() -> None:
    named = re.findall(r"`((?:model|hpo)/[\w./]+)`", section("A map of the code"))
    assert len(named) >= 20
    assert [name for name in named if not (ROOT / name).exists()] == []


# The reference of a study's file


def keys_of(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Every key of a study's file, dotted."""
    keys: set[str] = set()
    for name, field in model.model_fields.items():
        kind = field.annotation
        deeper = isinstance(kind, type) and issubclass(kind, BaseModel)
        keys |= keys_of(kind, f"{prefix}{name}.") if deeper else {f"{prefix}{name}"}  # type: ignore[arg-type]
    return keys


def read(folder: Path, text: str) -> StudyConfig:
    path = folder / "mine.yaml"
    path.write_text(text)
    return read_config(path)


REFERENCE = table(section("A study's file"))


def test_the_reference_has_every_key_of_a_study_and_no_other() -> None:
    of_an_entry = {*Range.model_fields, *Choices.model_fields}
    assert REFERENCE.keys() == keys_of(StudyConfig) | of_an_entry


@pytest.mark.parametrize("key", sorted(keys_of(StudyConfig) - {"name"}))
def test_a_key_at_the_default_of_the_reference_changes_nothing(key: str, tmp_path: Path) -> None:
    default = REFERENCE[key].strip("`")
    group, _, name = key.rpartition(".")
    study = next(study for study in MINIMAL if name not in study.get(group, {}))
    text = yaml.safe_dump(study)
    # Inserted as it stands in the README: it must also be read as what it is.
    if group:
        text = text if group in study else f"{text}{group}:\n"
        text = text.replace(f"{group}:\n", f"{group}:\n  {name}: {default}\n")
    else:
        text += f"{name}: {default}\n"
    assert read(tmp_path, text) == read(tmp_path, yaml.safe_dump(study))


def test_the_reference_tells_what_must_be_there() -> None:
    for kind in (Range, Choices):
        for name, field in kind.model_fields.items():
            assert REFERENCE[name] == ("required" if field.is_required() else f"`{json.dumps(field.default)}`")
    assert REFERENCE["name"] == "the file's name"


def test_the_study_file_shown_loads_as_it_stands_and_with_the_parts_shown_elsewhere(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```yaml\n(.*?)```", section("A study's file"), re.DOTALL)
    (part,) = re.findall(r"```yaml\n(.*?)```", section("The objective"), re.DOTALL)
    assert read(tmp_path, shown + part).confirmation.top == 3
    entries = read(tmp_path, shown).hyperparameters.entries()
    assert isinstance(entries["beta"], Range) and isinstance(entries["latent_dim"], Choices)
    assert entries["learning_rate"] == 2e-3


# Numbers


def test_numbers_in_the_table_are_the_showcases() -> None:
    shown = table(section("What a VAE is"))
    assert {"val_bpd", "test_bpd", "ppca_bpd", "test_rate_nats", "test_mse", "sigma"} <= shown.keys()
    for name, value in shown.items():
        _, _, decimals = value.partition(".")
        assert value == f"{METRICS[name]:.{len(decimals)}f}", name


def test_numbers_in_the_text_are_the_showcases() -> None:
    history = pd.read_csv(SHOWCASE / "metrics.csv").set_index("epoch")
    first, last = history.loc[1], history.iloc[-1]
    trials = pd.read_csv(SHOWCASE / "trials.csv")
    ahead = METRICS["ppca_bpd"] - METRICS["test_bpd"]
    claims = (
        f"From epoch 1 to {METRICS['epochs']} the validation error falls from {first['val_mse']:.4f} to "
        f"{last['val_mse']:.4f}. The rate climbs to {history['val_rate_nats'].max():.1f} nats, then falls to "
        f"{last['val_rate_nats']:.1f}",
        f"{'It beats' if ahead > 0 else 'It does not beat'} the linear model, by {abs(ahead):.3f}",
        f"In the showcase there were {configurations(trials)}; the choice fell on trial {METRICS['trial']}",
    )
    assert [claim for claim in claims if claim not in prose(README)] == []
    assert f"latent dimensions in use, of {METRICS['hyperparameters']['latent_dim']}" in README


def configurations(trials: pd.DataFrame) -> str:
    """How many there are in a showcase's table, and how many came to their end."""
    over = trials[~trials["state"].isin(["running", "waiting"])]
    n_tried = over[["continues", "confirms"]].isna().all(axis=1).sum()
    n_finished = ((over["state"] == "complete") & over["confirms"].isna()).sum()
    return f"{n_tried} configurations in {len(over)} trials, {n_finished} of them trained to the end"


def first_of(trials: pd.DataFrame, number: int) -> int:
    """The trial with which a configuration began that this one has come furthest with."""
    before = trials.set_index("trial")["continues"].dropna()
    while number in before:
        number = int(before[number])
    return number


def test_the_text_has_no_other_measured_number() -> None:
    """A number of three decimals or more is a measurement; each stands in a claim that is checked above."""
    checked = {f"{abs(METRICS['ppca_bpd'] - METRICS['test_bpd']):.3f}"}
    checked |= {f"{value:.4f}" for value in pd.read_csv(SHOWCASE / "metrics.csv")["val_mse"].iloc[[1, -1]]}
    assert set(re.findall(r"(?<![\d.])\d+\.\d{3,}", prose(README))) == checked


def test_the_showcase_tells_the_numbers_of_its_files() -> None:
    page, trials = (SHOWCASE / "README.md").read_text(), pd.read_csv(SHOWCASE / "trials.csv")
    for name, digits in (("val_bpd", 3), ("test_bpd", 3), ("ppca_bpd", 3), ("test_mse", 5), ("test_rate_nats", 1)):
        assert f"{METRICS[name]:.{digits}f}" in page
    assert f"{configurations(trials)} " in page
    seeds = trials[trials["state"] == "complete"].groupby("confirms")["val_bpd"]
    n_seeds = seeds.size().max()
    means = seeds.mean()[seeds.size() == n_seeds].sort_values()
    finished = trials[(trials["state"] == "complete") & trials["confirms"].isna()]["trial"]
    by_first = {first_of(trials, number): number for number in finished}
    assert by_first[means.index[0]] == METRICS["trial"]
    own = trials.set_index("trial")["val_bpd"][METRICS["trial"]]
    assert f"val_bpd {own:.3f} after 3 epochs, {means.iloc[0]:.3f} by the mean of {n_seeds} new seeds" in page
    if len(means) > 1:
        assert f"next came trial {by_first[means.index[1]]} with {means.iloc[1]:.3f}" in page
