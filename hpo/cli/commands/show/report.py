"""Command `report`: write a study's page."""

from hpo.cli.console import print_lines
from hpo.cli.exit_codes import reports_errors
from hpo.cli.find_config import config_of
from hpo.cli.options import Config, Files, Storage
from hpo.config.call_arguments import location_of


@reports_errors("Stopped. Every file that was written is complete.")
def report(config: Config, storage: Storage = None, files: Files = None) -> None:
    """Write the page of a study again.

    The page is one HTML file with all results and pictures, which opens from disk and can be sent to anyone.
    """
    location = location_of(storage, files)
    # A fault in the file is reported before the imports, which take seconds.
    config_of(config, location)
    from hpo import open_study
    from hpo.report.study_page import write_report

    opened = open_study(config, location)
    write_report(opened)
    print_lines(f"Next: open {opened.paths.report}")
