"""The reference of a study's file in docs/configuration.md: every key, its default, and examples that load."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from hpo.config.hyperparameters import Choices, Range
from hpo.config.schema import StudyConfig
from hpo.config.study_file import read_config
from tests.tools.markdown_pages import README, doc, table_cells

PAGE, SEARCH = doc("configuration"), doc("search")
REFERENCE = table_cells(PAGE.section("All keys"))
# Each is a whole study; a key that one of them sets is left at its default by the other.
MINIMAL: tuple[dict[str, Any], ...] = (
    {"budget": {"trials": 3}, "hyperparameters": {"beta": {"low": 0.1, "high": 1.0}}},
    {"budget": {"timeout_minutes": 3}, "hyperparameters": {"latent_dim": {"low": 1, "high": 2}}},
)


def keys_of(model: type[BaseModel], prefix: str = "") -> set[str]:
    """Return every key of a study's file, dotted."""
    keys: set[str] = set()
    for name, field in model.model_fields.items():
        kind = field.annotation
        is_section = isinstance(kind, type) and issubclass(kind, BaseModel)
        keys |= keys_of(kind, f"{prefix}{name}.") if is_section else {f"{prefix}{name}"}  # type: ignore[arg-type]
    return keys


def read(folder: Path, text: str) -> StudyConfig:
    """Read a text as the study file `mine.yaml`."""
    path = folder / "mine.yaml"
    path.write_text(text)
    return read_config(path)


def test_the_reference_has_every_key_of_a_study_and_no_other() -> None:
    assert REFERENCE.keys() == keys_of(StudyConfig) | {*Range.model_fields, *Choices.model_fields}


@pytest.mark.parametrize("key", sorted(keys_of(StudyConfig) - {"name"}))
def test_a_key_at_the_default_of_the_reference_changes_nothing(key: str, tmp_path: Path) -> None:
    default = REFERENCE[key].strip("`")
    group, _, name = key.rpartition(".")
    study = next(study for study in MINIMAL if name not in study.get(group, {}))
    text = yaml.safe_dump(study)
    # Inserted as it stands in the page: it must also be read as the same type.
    if group:
        text = text if group in study else f"{text}{group}:\n"
        text = text.replace(f"{group}:\n", f"{group}:\n  {name}: {default}\n")
    else:
        text += f"{name}: {default}\n"
    assert read(tmp_path, text) == read(tmp_path, yaml.safe_dump(study))


def test_the_reference_says_what_is_required() -> None:
    for kind in (Range, Choices):
        for name, field in kind.model_fields.items():
            assert REFERENCE[name] == ("required" if field.is_required() else f"`{json.dumps(field.default)}`")
    assert REFERENCE["name"] == "the file's name"


def test_the_study_files_shown_load(tmp_path: Path) -> None:
    (in_readme,), (shown,), (default,) = (page.code_blocks("yaml") for page in (README, PAGE, SEARCH))
    entries = read(tmp_path, shown).hyperparameters.entries()
    assert isinstance(entries["beta"], Range) and isinstance(entries["latent_dim"], Choices)
    assert entries["learning_rate"] == 2e-3
    assert read(tmp_path, in_readme).data.root == Path("/my/images")
    assert read(tmp_path, shown + default) == read(tmp_path, shown)


@pytest.mark.parametrize("code", [code for code in PAGE.inline_code() if code.startswith("data: ")])
def test_the_ways_to_name_images_are_read(code: str, tmp_path: Path) -> None:
    assert read(tmp_path, f"{yaml.safe_dump(MINIMAL[0])}{code}\n")
