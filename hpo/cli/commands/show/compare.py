"""Command `compare`: several studies on one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hpo.cli.console import console, print_lines
from hpo.cli.exit_codes import reports_errors
from hpo.cli.options import Files, Storage
from hpo.config.call_arguments import Location, location_of
from hpo.config.study_file import ConfigError
from hpo.storage.paths import comparison_page
from hpo.storage.paths.user_folder import expanded
from model.errors import UserError

if TYPE_CHECKING:
    from rich.table import Table

    from hpo.analysis.comparison.comparable import Group
    from hpo.storage.open_study import OpenStudy


@reports_errors("Stopped. Every file that was written is complete.")
def compare(
    studies: Annotated[list[str], typer.Argument(metavar="STUDY", help="Names of studies, or paths of their files.")],
    output: Annotated[
        Path | None,
        typer.Option(help="HTML file to write; in results/compare/ if left out.", show_default=False),
    ] = None,
    storage: Storage = None,
    files: Files = None,
) -> None:
    """Compare studies on one page.

    It shows best scores, their course over time and training, hyperparameters, retrained models, and settings that
    differ. Studies of different images are shown one after the other, since their scores do not compare. The page is
    one HTML file that opens from disk.
    """
    path = _checked_output(output)
    opened, repeated = _open_all(studies, location_of(storage, files))
    from hpo.analysis.comparison.comparable import groups_of, notes_on
    from hpo.analysis.comparison.compared_study import read_compared_study
    from hpo.report.comparison_page import write_comparison

    compared = [read_compared_study(study) for study in opened]
    path = path or comparison_page([study.name for study in compared])
    write_comparison(compared, path)
    console.print(_table(groups_of(compared)), soft_wrap=False)
    print_lines(*repeated, *notes_on(compared), f"Next: open {path}")


def _checked_output(output: Path | None) -> Path | None:
    if output is None:
        return None
    path = expanded(output)
    if path.is_dir() or path.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--output: must be a file that ends with .html, got {output}")
    return path


def _open_all(names: list[str], location: Location | None) -> tuple[list[OpenStudy], list[str]]:
    """Open each study once; return them with a line for each that was named again.

    Raises: UserError: naming every study that cannot be opened; ConfigError: there are fewer than two.
    """
    from hpo import open_study

    opened: dict[Path, OpenStudy] = {}
    faults, repeated = [], []
    for name in names:
        try:
            study = open_study(name, location)
        except UserError as error:
            faults.append(str(error))
            continue
        if study.paths.folder in opened:
            repeated.append(f"{name}: named twice, shown once")
        opened.setdefault(study.paths.folder, study)
    if faults:
        raise UserError("\n".join(dict.fromkeys(faults)))
    if len(opened) < 2:
        raise ConfigError(f"STUDY: name at least two different studies to compare, got {', '.join(names)}")
    return list(opened.values()), repeated


def _table(groups: tuple[Group, ...]) -> Table:
    from rich.table import Table

    from hpo.analysis.comparison.comparable import winner

    table = Table()
    for name in ("study", "images"):
        table.add_column(name, overflow="fold")
    for name in ("finished", "best", "val_bpd", "new seeds", "test_bpd"):
        table.add_column(name, justify="right", no_wrap=True)
    for group in groups:
        for study in group:
            best, test = study.best, study.retrained.test if study.retrained else None
            table.add_row(
                study.name,
                study.images_name,
                f"{study.n_finished} of {study.n_ended}",
                f"trial {best.number}" if best else "",
                f"{best.val_bpd:.4f}" if best else "",
                f"{best.score:.4f}" if best and best.confirmation_scores else "",
                f"{test.bpd:.4f}" if test else "",
                style="bold green" if study == winner(group) else None,
            )
        table.add_section()
    return table
