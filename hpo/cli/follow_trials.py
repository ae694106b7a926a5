"""Follow the trials of a tuning session in the terminal."""

from contextlib import nullcontext
from typing import TYPE_CHECKING

from hpo.cli.console import STOPPING, console
from hpo.cli.json_lines.output import is_json

if TYPE_CHECKING:
    from hpo.workers.tuning_session import TuningSession


def follow_trials(session: "TuningSession", *, shows_results: bool = True) -> bool:
    """Run the session's trials and show their events; return True if a user asked to stop.

    With `shows_results`, the dashboard's overview of the study follows them.
    """
    from hpo.cli.json_lines.trial_lines import TrialLines
    from hpo.cli.live_table import LiveTable
    from hpo.cli.plain_log import PlainLog
    from hpo.cli.progress import progress_of
    from hpo.workers.signals import catch_stop_signals

    progress = progress_of(session)
    screen: LiveTable | PlainLog | TrialLines
    if is_json():
        screen = TrialLines(session)
    else:
        screen = LiveTable(console, progress) if console.is_terminal else PlainLog(console, progress)
    workers = session.start_workers()

    def stop() -> None:
        workers.stop()
        screen.announce(STOPPING)

    overview = session.overview(screen.announce) if shows_results else nullcontext(screen.show)
    with screen, catch_stop_signals(stop) as request, overview as listener:
        session.run(workers, *dict.fromkeys((screen.show, listener)))
    return request.requested
