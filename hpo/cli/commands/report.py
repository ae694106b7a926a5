"""Commands that show a study, and what it holds that can go."""

from hpo.cli.console import say
from hpo.cli.exit_codes import reports_errors
from hpo.cli.options import Config


@reports_errors("Stopped. What was written is whole.")
def report(config: Config) -> None:
    """Write the study's page anew: one file that tells all of it, opens from disk, and can be sent to anyone."""
    from hpo.report.study_page import write_report
    from hpo.storage.open_study import open_study

    at_hand = open_study(config)
    write_report(at_hand)
    say(f"Next: open {at_hand.paths.report}")
