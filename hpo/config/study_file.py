"""Reads a study's YAML file; every fault in it becomes one line that names the key, the rule and the value."""

import json
import re
from os import PathLike
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from hpo.config.error_messages import describe_fault, is_echo, shown_value
from hpo.config.schema import StudyConfig
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


def load_config(name_or_path: str | PathLike[str]) -> StudyConfig:
    """Read and validate a study's file.

    Args:
        name_or_path: name of a study in `study_configs/` (`quick`), or path of a YAML file.

    Returns: the configuration, frozen; `model_copy(update=...)` makes variants.

    Raises:
        ConfigError: the file does not exist or has faults; the message lists every fault.

    Example:
        >>> config = hpo.load_config("quick")
        >>> config.hyperparameters.beta
        Range(log=True, low=0.3, high=3.0)
    """
    return read_config(find_config(str(name_or_path)))


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
        faults = [describe_fault(path, fault) for fault in error.errors() if not is_echo(fault)]
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
        raise ConfigError(f"{path}: must be a mapping of keys like `budget:`, got {shown_value(values)}")
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
