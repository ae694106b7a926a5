"""The page that compares studies: a single file that opens from disk and loads nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hpo.analysis.comparison.comparable import Group, groups_of, notes_on, winner
from hpo.analysis.comparison.compared_study import ComparedStudy
from hpo.analysis.comparison.settings_side_by_side import SettingRow, best_values, differing_settings
from hpo.figures.study.best_so_far import StudyCurve, draw_best_so_far
from hpo.figures.style import in_own_style
from hpo.report.embedded_pictures import Picture, embedded, embedded_figure
from hpo.report.template_filters import template_environment
from model.atomic_files import write_text


@dataclass(frozen=True)
class RetrainedModel:
    """A study with its retrained model's pictures; one whose file is missing is None."""

    study: ComparedStudy
    reconstructions: Picture | None
    samples: Picture | None


@dataclass(frozen=True)
class ComparedGroup:
    """Studies whose scores compare, the lowest score first, with their curves if a trial of them has finished."""

    studies: Group
    winner: ComparedStudy | None
    curves: Picture | None
    retrained: tuple[RetrainedModel, ...]


@dataclass(frozen=True)
class ComparisonPage:
    """Content of the page. Its rows have a value for each of `studies`, in their order."""

    studies: tuple[ComparedStudy, ...]
    groups: tuple[ComparedGroup, ...]
    notes: tuple[str, ...]
    values: tuple[SettingRow, ...]
    settings: tuple[SettingRow, ...]


def write_comparison(studies: Sequence[ComparedStudy], path: Path) -> None:
    """Write the page atomically.

    Raises: OSError: it cannot be written, or a picture cannot be read.
    """
    write_text(path, render(comparison_page_of(studies)))


def comparison_page_of(studies: Sequence[ComparedStudy]) -> ComparisonPage:
    """Collect the content of the page, and draw its curves."""
    groups = tuple(_group(group) for group in groups_of(studies))
    ordered = tuple(study for group in groups for study in group.studies)
    return ComparisonPage(ordered, groups, tuple(notes_on(studies)), best_values(ordered), differing_settings(ordered))


def render(page: ComparisonPage) -> str:
    """Return the page as HTML."""
    return template_environment().get_template("comparison_page.html").render(page=page)


def _group(studies: Group) -> ComparedGroup:
    retrained = tuple(
        RetrainedModel(study, embedded(study.run.reconstructions), embedded(study.run.samples))
        for study in studies
        if study.retrained
    )
    return ComparedGroup(studies, winner(studies), _curves(studies), retrained)


@in_own_style
def _curves(studies: Group) -> Picture | None:
    curves = [
        StudyCurve(study.name, study.curve.by_hours, study.curve.by_epochs) for study in studies if study.curve.by_hours
    ]
    return embedded_figure(draw_best_so_far(curves)) if curves else None
