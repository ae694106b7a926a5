"""The page of one run: index.html, a single file with its pictures inside that opens from disk."""

from hpo.report.run_page_data import RunPage, run_page
from hpo.report.template_filters import environment
from hpo.storage.paths import RunPaths
from model.atomic_files import write_text


def write_page(paths: RunPaths) -> None:
    """Write the page of a finished run from its files; a picture that is missing is left out."""
    write_text(paths.page, rendered(run_page(paths), paths))


def rendered(page: RunPage, paths: RunPaths) -> str:
    """The page as HTML. `paths` gives the names of the files that it points the reader to."""
    return environment().get_template("run.html").render(page=page, files=paths)
