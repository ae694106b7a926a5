"""The page of a study: one file that tells all of it, opens from disk and loads nothing."""

import base64
import hashlib
from collections.abc import Mapping

from markupsafe import Markup

from hpo.report.embedded_pictures import Picture
from hpo.report.study_page_data import StudyReport, study_report
from hpo.report.study_page_figures import draw_figures
from hpo.report.template_filters import environment, source_of
from hpo.report.trial_gallery import Card, gallery
from hpo.storage.database import DATABASE_ERRORS
from hpo.storage.error_log import log_traceback
from hpo.storage.open_study import OpenStudy
from hpo.storage.paths import StudyPaths
from model.atomic_files import write_text
from model.errors import UserError

# Mail and browsers take a page of ten million bytes; text around the pictures is in the rest.
PAGE_BYTES = 10_000_000
_BYTES_OF_TEXT = 300_000


def write_report(at_hand: OpenStudy) -> None:
    """Write the study's page from what is there, atomically: of several writers at once the last one stays."""
    report = study_report(at_hand)
    figures = draw_figures(report, at_hand)
    n_left = PAGE_BYTES - _BYTES_OF_TEXT - sum(picture.n_bytes for picture in figures.values() if picture)
    write_text(at_hand.paths.report, rendered(report, figures, gallery(report.rows, at_hand, n_left), at_hand.paths))


def try_to_write_report(at_hand: OpenStudy) -> str:
    """Write it where that is a by-product: return the line that tells where it is, or why it could not be written."""
    try:
        write_report(at_hand)
    except (UserError, *DATABASE_ERRORS):
        raise
    except OSError as error:
        return (
            f"{at_hand.paths.report}: could not be written ({error.strerror or error}); the study itself is whole. "
            f"Mend that and run make report STUDY={at_hand.config_name}"
        )
    except Exception as error:
        # A search that ran overnight is worth more than its page.
        log_traceback("the study's page", at_hand.paths.errors)
        return (
            f"{at_hand.paths.report}: could not be made ({type(error).__name__}: {error}); see {at_hand.paths.errors}"
        )
    return f"The study on one page: {at_hand.paths.report}"


def rendered(
    report: StudyReport, figures: Mapping[str, Picture | None], cards: tuple[Card, ...], paths: StudyPaths
) -> str:
    """The page as HTML. `paths` gives the names of the files that it points the reader to."""
    script = source_of("report.js")
    # The browser runs the script of this very content and no other.
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    return (
        environment()
        .get_template("report.html")
        .render(report=report, figures=figures, cards=cards, paths=paths, script=Markup(script), script_sha256=digest)
    )
