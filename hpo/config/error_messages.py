"""Turns a fault that pydantic found in a study file into one line that names the key, the rule and the value."""

import difflib
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from hpo.config.schema import StudyConfig
from hpo.config.strict_model import ACROSS_KEYS

_RULES = {
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
    "too_short": "must have {min_length} or more values",
    "too_long": "must have {max_length} or fewer values",
    "string_too_long": "must have at most {max_length} characters",
    "model_type": "must be a mapping of keys",
    "string_pattern_mismatch": "must be letters, digits, dots, dashes and underscores, and begin with a letter "
    "or a digit",
}


# What is valid beside a word, by the word's tag in the schema.
_NUMBERS = {"<word>": "a whole number", "<word beside a number>": "a number"}


def is_consequence(fault: ErrorDetails) -> bool:
    """Return True for a list that is called too short only because some of its items have faults of their own."""
    return fault["type"] == "too_short" and len(fault["input"]) >= fault["ctx"]["min_length"]


def describe_fault(path: Path, fault: ErrorDetails) -> str:
    """Return the line that reports a fault in the study file `path`."""
    keys = [str(part) for part in fault["loc"] if not str(part).startswith("<")]
    location = f"{path}: {'.'.join(keys)}" if keys else f"{path}"
    if fault["type"] == "extra_forbidden":
        if keys[-1] in _keys_below(keys[:-1]):
            return f"{location}: cannot be combined with choices; give low and high, or choices"
        return f"{location}: unknown key{_suggestion(keys)}"
    if fault["type"] == "missing":
        return f"{location}: is missing"
    if fault["type"] == ACROSS_KEYS:
        return f"{location}: {fault['msg']}"
    return broken_rule(location, fault)


def broken_rule(location: str, fault: ErrorDetails) -> str:
    """Return `location: rule, got value`, with the nearest valid value if the fault knows one."""
    nearest = fault.get("ctx", {}).get("nearest")
    suggestion = f"; did you mean '{nearest}'?" if nearest else ""
    return f"{location}: {_rule(fault)}, got {shortened(fault['input'])}{suggestion}"


def _rule(fault: ErrorDetails) -> str:
    if fault["loc"] and (number := _NUMBERS.get(str(fault["loc"][-1]))):
        return f"must be {number} or {fault['ctx']['expected']}"
    template = _RULES.get(fault["type"])
    return template.format(**fault.get("ctx", {})) if template else fault["msg"].replace("Input should be", "must be")


def _suggestion(keys: list[str]) -> str:
    """Return the valid key that is nearest to the last of `keys`, or all valid keys beside it."""
    siblings = _keys_below(keys[:-1])
    nearest = difflib.get_close_matches(keys[-1], siblings, n=1, cutoff=0.5)
    nearest = nearest or [key for key in siblings if key in keys[-1] or keys[-1] in key][:1]
    return f"; did you mean '{nearest[0]}'?" if nearest else f"; valid keys: {', '.join(siblings)}"


def _keys_below(parents: list[str]) -> list[str]:
    """Return the valid keys of the section, or of the entry of `hyperparameters`, whose path is `parents`."""
    level: type[BaseModel] = StudyConfig
    for parent in parents:
        annotation = level.model_fields[parent].annotation if parent in level.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ["choices"] if parent in ("schedule", "reconstruction") else ["low", "high", "log", "choices"]
        level = annotation
    return list(level.model_fields)


def shortened(value: object) -> str:
    """Return a value as text of at most 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
