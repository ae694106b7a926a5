"""The page of one run: index.html, a single file that contains its pictures and opens from disk."""

from hpo.report.run_page_data import RunPage, read_run_page
from hpo.report.template_filters import page_script, template_environment
from hpo.storage.paths import RunPaths
from model.atomic_files import write_text


def write_page(paths: RunPaths, final: RunPaths | None = None) -> None:
    """Write the page of a finished run from its files; a missing picture is left out.

    Args:
        paths: files of the run.
        final: files of the run after its folder is renamed, which the page names; `paths` if None.
    """
    write_text(paths.page, render(read_run_page(paths, final or paths), paths))


def render(page: RunPage, paths: RunPaths) -> str:
    """Return the page as HTML. `paths` gives the file names that the text mentions."""
    script = page_script("run_page_sliders.js")
    return template_environment().get_template("run_page.html").render(page=page, files=paths, script=script)
