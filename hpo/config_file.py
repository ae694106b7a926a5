"""Reads a study's YAML file; every fault in it becomes one line that names the key, the rule and the value."""

import difflib
import json
import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from hpo.config import StudyConfig
from hpo.entries import ACROSS_KEYS
from model.errors import UserError

CONFIG_FOLDER = Path("study_configs")
# Far beyond any study's file: a few lines of aliases can stand for more values than fit into memory.
MAX_VALUES = 10_000
MAX_BYTES = 1_000_000


class ConfigError(UserError):
    """A study's file is absent, no YAML, or breaks a rule; lists every fault."""


class _Loader(yaml.SafeLoader):
    """YAML's safe types, numbers as in YAML 1.2 (1e-4 is one, 1:30 and octal 010 are none), a repeated key a fault."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":float", ":int"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}

_Loader.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"^[-+]?(0|[1-9]\d*)$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(\d[\d_]*\.?[\d_]*|\.\d+)([eE][-+]?\d+)?$|^[-+]?\.(inf|Inf)$|^\.(nan|NaN)$"),
    list("-+0123456789."),
)


def _mapping_without_repetition(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    # A list: what YAML admits as a key need not be hashable.
    seen: list[object] = []
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", key_node.start_mark)
        seen.append(key)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping_without_repetition)


def find_config(name_or_path: str) -> Path:
    """The file meant by a path (`study_configs/quick.yaml`) or a study's name (`quick`).

    Raises: ConfigError: there is none; lists those that there are.
    """
    candidates = (Path(name_or_path), CONFIG_FOLDER / f"{name_or_path}.yaml")
    for path in candidates:
        if path.is_file():
            return path
    known = ", ".join(sorted(path.stem for path in CONFIG_FOLDER.glob("*.yaml") if path.is_file())) or "none"
    raise ConfigError(f"no study file {candidates[0]} or {candidates[1]}; there is: {known}")


def read_config(path: Path) -> StudyConfig:
    """Load and validate a study's file. Its name, unless it says otherwise, is the file's.

    Raises: ConfigError: listing every fault in the file.
    """
    values = {"name": path.stem} | _read_mapping(path)
    try:
        # Through JSON, whose strict mode takes a list for a tuple and text for a path, and nothing else for a number.
        return StudyConfig.model_validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        faults = [_describe(path, fault) for fault in error.errors() if not _is_echo(fault)]
        raise ConfigError("\n".join(faults)) from None


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"{path}: must have at most {MAX_BYTES:,} bytes, got {path.stat().st_size:,}")
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is not a text file in UTF-8") from None
    except ConfigError:
        raise
    except (OSError, yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: cannot be read: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must be a mapping of keys like `budget:`, got {_shown(values)}")
    if (n_values := _n_values(values, {})) > MAX_VALUES:
        raise ConfigError(f"{path}: must hold at most {MAX_VALUES:,} values, aliases followed, got {n_values:,}")
    return {str(key): value for key, value in values.items()}


def _n_values(value: Any, known: dict[int, int]) -> int:
    """How many there are in it, itself included; what aliases repeat is counted each time, though visited once."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        parts = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_n_values(part, known) for part in parts)
    return known[id(value)]


def _is_echo(fault: ErrorDetails) -> bool:
    """Whether a list is called too short only because some of its items, told of themselves, are faulty."""
    return fault["type"] == "too_short" and len(fault["input"]) >= fault["ctx"]["min_length"]


def _describe(path: Path, fault: ErrorDetails) -> str:
    keys = [str(part) for part in fault["loc"] if not str(part).startswith("<")]
    where = f"{path}: {'.'.join(keys)}" if keys else f"{path}"
    if fault["type"] == "extra_forbidden":
        if keys[-1] in _keys_below(keys[:-1]):
            return f"{where}: does not go with choices; give low and high, or choices"
        return f"{where}: unknown key{_suggestion(keys)}"
    if fault["type"] == "missing":
        return f"{where}: is missing"
    if fault["type"] == ACROSS_KEYS:
        return f"{where}: {fault['msg']}"
    return broken_rule(where, fault)


def broken_rule(where: str, fault: ErrorDetails) -> str:
    """`where: rule, got value`, in our words."""
    return f"{where}: {_rule(fault)}, got {_shown(fault['input'])}"


def _rule(fault: ErrorDetails) -> str:
    context = fault.get("ctx", {})
    rules = {
        "greater_than": "must be > {gt}",
        "greater_than_equal": "must be >= {ge}",
        "less_than_equal": "must be <= {le}",
        "less_than": "must be < {lt}",
        "literal_error": "must be {expected}",
        "float_type": "must be a number",
        "int_type": "must be a whole number",
        "bool_type": "must be true or false",
        "string_type": "must be text",
        "finite_number": "must be finite",
        "tuple_type": "must be a list",
        "too_short": "must have at least {min_length} of them",
        "too_long": "must have at most {max_length} of them",
        "string_too_long": "must have at most {max_length} characters",
        "model_type": "must be a mapping of keys",
        "string_pattern_mismatch": "must be letters, digits, dots, dashes and underscores, and begin with one of the "
        "first two",
    }
    template = rules.get(fault["type"])
    return template.format(**context) if template else fault["msg"].replace("Input should be", "must be")


def _suggestion(keys: list[str]) -> str:
    """The nearest key that does exist beside the last of `keys`."""
    siblings = _keys_below(keys[:-1])
    nearest = difflib.get_close_matches(keys[-1], siblings, n=1, cutoff=0.5)
    nearest = nearest or [key for key in siblings if key in keys[-1] or keys[-1] in key][:1]
    return f"; did you mean '{nearest[0]}'?" if nearest else f"; known here: {', '.join(siblings)}"


def _keys_below(parents: list[str]) -> list[str]:
    level: type[BaseModel] = StudyConfig
    for parent in parents:
        annotation = level.model_fields[parent].annotation if parent in level.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ["choices"] if parent in ("schedule", "reconstruction") else ["low", "high", "log", "choices"]
        level = annotation
    return list(level.model_fields)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
