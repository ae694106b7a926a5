"""Reads a study's YAML file; every fault in it becomes one line that names the key, the rule and the value."""

import difflib
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from hpo.config.schema import StudyConfig
from hpo.config.strict_model import ACROSS_KEYS


def is_echo(fault: ErrorDetails) -> bool:
    """Whether a list is called too short only because some of its items, told of themselves, are faulty."""
    return fault["type"] == "too_short" and len(fault["input"]) >= fault["ctx"]["min_length"]


def describe_fault(path: Path, fault: ErrorDetails) -> str:
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
    return f"{where}: {_rule(fault)}, got {shown_value(fault['input'])}"


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


def shown_value(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
