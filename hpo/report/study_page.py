"""The page of a study: report/index.html, a single file that opens from disk and loads nothing."""

from collections.abc import Mapping

from hpo.figures.study.trial_points import MAX_SHOWN
from hpo.report.embedded_pictures import Picture
from hpo.report.study_page_data import StudyPage, read_study_page
from hpo.report.study_page_figures import draw_figures
from hpo.report.template_filters import page_script, template_environment
from hpo.report.trial_gallery import TrialCard, trial_cards
from hpo.storage.error_log import attempt
from hpo.storage.open_study import OpenStudy
from hpo.storage.paths import StudyPaths
from hpo.user_commands import user_command
from model.atomic_files import write_text

# Mail and browsers accept a page of ten million bytes, text included.
PAGE_BYTES = 10_000_000
_TEXT_BYTES = 300_000


def write_report(opened: OpenStudy) -> None:
    """Write the study's page atomically; of several processes that write at once, the last one's page stays."""
    page = read_study_page(opened)
    figures = draw_figures(page, opened)
    n_bytes_left = PAGE_BYTES - _TEXT_BYTES - sum(picture.n_bytes for picture in figures.values() if picture)
    cards = trial_cards(page.rows, opened, n_bytes_left)
    write_text(opened.paths.report, render(page, figures, cards, opened.paths))


def try_to_write_report(opened: OpenStudy) -> str:
    """Write the study's page after a search or a retraining, which must not fail because of it.

    Returns: a line with the path of the page, or the reason why it could not be written.

    Raises: UserError, DATABASE_ERRORS: the study cannot be read.
    """
    path = opened.paths.report
    try:
        fault = attempt(
            lambda: write_report(opened), subject=f"{path}:", heading="the study's page", log=opened.paths.errors
        )
    except OSError as error:
        return (
            f"{path}: could not be written ({error.strerror or error}); the study itself is complete. "
            f"Fix that and run {user_command('report', opened.config_name)}"
        )
    return fault or f"The study on one page: {path}"


def render(
    page: StudyPage, figures: Mapping[str, Picture | None], cards: tuple[TrialCard, ...], paths: StudyPaths
) -> str:
    """Return the page as HTML. `paths` gives the file names that the text mentions."""
    return (
        template_environment()
        .get_template("study_page.html")
        .render(
            page=page,
            figures=figures,
            cards=cards,
            paths=paths,
            script=page_script("study_page.js"),
            max_shown=MAX_SHOWN,
        )
    )
