"""Finds, reads and validates study files, which are YAML; reports all faults of a file at once."""

import json
import re
from os import PathLike
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from hpo.config.error_messages import describe_fault, is_consequence, shortened
from hpo.config.schema import StudyConfig
from model.data.locations import IS_CHECKOUT
from model.errors import UserError

CONFIG_FOLDER = Path("study_configs")
# The studies that come with the program, which are found from any folder; a wheel has them beside its code.
_SHIPPED = Path(__file__).resolve().parents[2 if IS_CHECKOUT else 1] / CONFIG_FOLDER
# Far more than any study file needs: a few lines of aliases can expand to more values than fit into memory.
MAX_VALUES = 10_000
MAX_BYTES = 1_000_000


class ConfigError(UserError):
    """A study file that is absent, is no YAML, or breaks rules, or a faulty argument; the message lists every fault."""


class NoStudyFile(ConfigError):
    """There is no study file of a name or path."""


class _Loader(yaml.SafeLoader):
    """YAML's safe types, with numbers in decimal as in YAML 1.2 and without repeated keys.

    1e-4 is a number, 010 is no octal number, 1:30 and 2001-01-01 are text. PyYAML implements YAML 1.1, where the first
    is text, the second is 8, the third is 90 and the fourth is a date.
    """


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
    # A list: a key in YAML need not be hashable.
    keys: list[object] = []
    for key_node, _ in node.value:
        if key_node.tag == "tag:yaml.org,2002:merge":
            continue
        key = loader.construct_object(key_node, deep=True)
        if key in keys:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is repeated", key_node.start_mark)
        keys.append(key)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping_without_repetition)


def load_config(name_or_path: str | PathLike[str]) -> StudyConfig:
    """Read and validate a study file.

    Args:
        name_or_path: Name of a study in `study_configs/` (`quick`), or path of a YAML file.

    Returns: The configuration. It is frozen; `model_copy(update=...)` makes variants.

    Raises:
        ConfigError: The file does not exist or has faults; the message lists every fault.

    Example:
        >>> config = hpo.load_config("quick")
        >>> config.hyperparameters.beta
        Range(log=True, low=0.3, high=3.0)
    """
    return read_config(find_config(str(name_or_path)))


def own_file(name_or_path: str) -> Path | None:
    """Return the file that a path (`study_configs/quick.yaml`) or a name (`quick`) refers to in the current folder."""
    return next((path for path in _candidates(name_or_path) if path.is_file()), None)


def _candidates(name_or_path: str) -> tuple[Path, Path]:
    return Path(name_or_path), CONFIG_FOLDER / f"{name_or_path}.yaml"


def find_config(name_or_path: str) -> Path:
    """Return the file that a path or a study's name refers to, in the current folder or among those that are shipped.

    Raises: NoStudyFile: there is no such file; the message lists the names of all studies.
    """
    candidates = _candidates(name_or_path)
    shipped = _SHIPPED / candidates[1].name
    if path := own_file(name_or_path) or (shipped if shipped.is_file() else None):
        return path
    folders = CONFIG_FOLDER, _SHIPPED
    names = sorted({path.stem for folder in folders for path in folder.glob("*.yaml") if path.is_file()})
    raise NoStudyFile(f"no study file {candidates[0]} or {candidates[1]}; available: {', '.join(names)}")


def read_config(path: Path) -> StudyConfig:
    """Read and validate a study file. The study has the file's name, unless the file gives another.

    Raises: ConfigError: the file has faults; the message lists every fault.
    """
    values = {"name": path.stem} | _read_mapping(path)
    try:
        # Through JSON: pydantic's strict mode takes a list for a tuple and text for a path only from JSON, and even
        # there nothing but a number for a number.
        return StudyConfig.model_validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        faults = [describe_fault(path, fault) for fault in error.errors() if not is_consequence(fault)]
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
        raise ConfigError(f"{path}: must be a mapping of keys like `budget:`, got {shortened(values)}")
    if (n_values := _n_values(values, {})) > MAX_VALUES:
        raise ConfigError(f"{path}: must hold at most {MAX_VALUES:,} values with aliases expanded, got {n_values:,}")
    return {str(key): value for key, value in values.items()}


def _n_values(value: Any, counts: dict[int, int]) -> int:
    """Return the number of values in `value`, itself included.

    An alias counts as often as it is used, but is visited once: `counts` holds the counts by object id.
    """
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in counts:
        parts = value.values() if isinstance(value, dict) else value
        counts[id(value)] = 1 + sum(_n_values(part, counts) for part in parts)
    return counts[id(value)]
