"""Values of several studies side by side: of their best trials, and of the settings in which their files differ."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpo.analysis.comparison.compared_study import ComparedStudy
from hpo.analysis.formatting import search_range
from hpo.config.hyperparameters import Choices, Range
from hpo.config.schema import StudyConfig
from hpo.config.search_space import searched

# Sections of a study's file; the name differs always, and hyperparameters are listed in words.
_SECTIONS = ("data", "model", "training", "budget", "sampler", "pruner", "confirmation", "retrain")
# Where the images lie says nothing about them, and may be a path of this machine.
_LEFT_OUT = ("data.root", "data.fallback")


@dataclass(frozen=True)
class SettingRow:
    """A setting with its value in each study; None where a study has none. `searched` says what each searches of it."""

    name: str
    values: tuple[Any, ...]
    searched: tuple[str | None, ...] = ()


def best_values(studies: Sequence[ComparedStudy]) -> tuple[SettingRow, ...]:
    """Return the hyperparameters that a study searches or in which best trials differ, with the best trials' values."""
    spaces = [searched(study.config.hyperparameters) for study in studies]
    rows = []
    for name in dict.fromkeys(name for study in studies for name in study.config.hyperparameters.entries()):
        values = tuple(study.values.get(name) for study in studies)
        ranges = tuple(search_range(space[name]) if name in space else None for space in spaces)
        if any(ranges) or len({value for value in values if value is not None}) > 1:
            rows.append(SettingRow(name, values, ranges))
    return tuple(rows)


def differing_settings(studies: Sequence[ComparedStudy]) -> tuple[SettingRow, ...]:
    """Return the settings of the studies' files that are not equal in all of them."""
    settings = [_settings(study.config) for study in studies]
    rows = [
        SettingRow(name, tuple(values.get(name) for values in settings))
        for name in dict.fromkeys(name for values in settings for name in values)
    ]
    return tuple(row for row in rows if any(value != row.values[0] for value in row.values))


def _settings(config: StudyConfig) -> Mapping[str, str]:
    values: dict[str, Any] = {"seed": config.seed, "objectives": config.objectives}
    for section in _SECTIONS:
        values |= {f"{section}.{key}": value for key, value in getattr(config, section).model_dump(mode="json").items()}
    values |= {f"hyperparameters.{name}": entry for name, entry in config.hyperparameters.entries().items()}
    return {name: _in_words(value) for name, value in values.items() if name not in _LEFT_OUT}


def _in_words(value: Any) -> str:
    if isinstance(value, Range | Choices):
        return search_range(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
