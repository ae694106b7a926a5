"""JSON schema of a study file: it accepts what `read_config` accepts, and describes every key."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from hpo.cli.app import app
from hpo.config.json_schema import Schema, describe_bounds, describe_values, study_file_schema
from hpo.config.schema import StudyConfig
from tests.config.study_file_texts import VALID, with_entry

SHIPPED = sorted((Path(__file__).resolve().parents[2] / "study_configs").glob("*.yaml"))
SCHEMA = study_file_schema()
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}


def accepts(schema: Schema, value: Any) -> bool:
    """Return True if a schema accepts the keys, the types and the words of a value; bounds are not checked."""
    if forms := [accepts(form, value) for form in (*schema.get("oneOf", ()), *schema.get("anyOf", ()))]:
        return forms.count(True) == 1 if "oneOf" in schema else any(forms)
    if value not in schema.get("enum", [value]) or value != schema.get("const", value):
        return False
    if "type" in schema and type(value) not in TYPES[schema["type"]]:
        return False
    if isinstance(value, list):
        return all(accepts(schema["items"], item) for item in value)
    if not isinstance(value, dict):
        return True
    keys = schema["properties"]
    complete = set(schema.get("required", ())) <= value.keys() <= keys.keys()
    return complete and all(accepts(keys[key], item) for key, item in value.items())


def descriptions(schema: Schema) -> Iterator[str]:
    """Yield the description of every key, at all depths; empty if it has none."""
    for form in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        for entry in form.get("properties", {}).values():
            yield entry.get("description", "")
            yield from descriptions(entry)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_study_file_is_accepted_and_names_the_schema(path: Path) -> None:
    text = path.read_text()
    # PyYAML alone reads 3e-4 as text, but 3.0e-4 as a number.
    assert accepts(SCHEMA, yaml.safe_load(re.sub(r"(\d)e-", r"\1.0e-", text)))
    assert text.startswith("# yaml-language-server: $schema=schema.json\n")


@pytest.mark.parametrize(
    "text",
    [
        "data: /my/images",
        VALID,
        *(f"{VALID}data: {form}" for form in ("sample", "/my/images", "{source: cifar10, root: /folder}")),
        f"{VALID}data: {{source: folder, root: /my/images, fallback: false}}",
        f"{VALID}name: other\nobjectives: [val_bpd, latent_dim]",
        f"{VALID}retrain: {{reconstruction_interval: log}}",
        with_entry("schedule: {choices: [constant, cosine]}"),
    ],
)
def test_other_valid_study_files_are_accepted(text: str) -> None:
    assert accepts(SCHEMA, yaml.safe_load(text))


@pytest.mark.parametrize(
    "text",
    [
        f"{VALID}sead: 1",
        f"{VALID}data: 5",
        f"{VALID}data: {{sauce: sample}}",
        f"{VALID}training: {{epochs: '3'}}",
        f"{VALID}pruner: {{name: hyperband}}",
        with_entry("beta: {low: 1}"),
        with_entry("beta: {choices: [1, 2], low: 1}"),
        with_entry("schedule: {low: constant, high: cosine}"),
        with_entry("latent_dim: 2.5"),
    ],
)
def test_faulty_study_files_are_not_accepted(text: str) -> None:
    assert not accepts(SCHEMA, yaml.safe_load(text))


def test_no_key_is_required_since_a_file_gives_the_study_its_name() -> None:
    assert SCHEMA["required"] == []
    assert SCHEMA["additionalProperties"] is False
    assert SCHEMA["properties"].keys() == StudyConfig.model_fields.keys()


def test_every_key_has_a_description_of_one_sentence() -> None:
    texts = list(descriptions(SCHEMA))
    assert len(texts) > 50
    assert [text for text in texts if not text.endswith(".") or ". " in text.replace("et al. ", "")] == []


def test_bounds_are_in_the_schema_and_in_words() -> None:
    entries = SCHEMA["properties"]["hyperparameters"]["properties"]
    assert entries["latent_dim"]["oneOf"][0] == {"type": "integer", "minimum": 1, "maximum": 3072}
    assert describe_values(entries["latent_dim"]["oneOf"][0]) == "whole number from 1 to 3072"
    assert describe_values(entries["schedule"]["oneOf"][0]) == "constant, cosine or schedule_free"
    assert describe_bounds({"gt": 0, "lt": 1}) == "> 0 and < 1"
    assert describe_bounds({}) == ""


def test_the_command_prints_the_schema() -> None:
    result = CliRunner().invoke(app, ["schema"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == SCHEMA
