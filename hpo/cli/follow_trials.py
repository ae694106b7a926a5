"""The terminal, the only place that prints or exits: how work is followed, and how what goes wrong is told."""

import contextlib
from typing import TYPE_CHECKING

from hpo.cli.console import console

if TYPE_CHECKING:
    from hpo.workers.tuning_session import TuningSession


def follow_trials(opened: "TuningSession", n_workers: int) -> bool:
    """Work until the budget is spent; return whether somebody asked to stop before."""
    from hpo.cli.live_table import LiveTable
    from hpo.cli.plain_log import PlainLines
    from hpo.cli.progress import Progress
    from hpo.config.search_space import searched
    from hpo.dashboard.study_overview import kept_up
    from hpo.search.best_trial import best_of
    from hpo.search.configurations import configurations_of, end_of, finished_trials, is_pruned, is_started
    from hpo.workers.signals import catch_stop_signals
    from hpo.workers.worker_pool import start_workers

    place = opened.place
    over = finished_trials(place.study)
    progress = Progress(
        columns=list(searched(place.config.hyperparameters)),
        epochs=place.config.training.epochs,
        n_total=opened.budget.trials,
        deadline=opened.deadline,
        find_best=lambda: best_of(configurations_of(place.study)),
        begun={trial.number for trial in place.study.get_trials(deepcopy=False) if is_started(trial)},
        n_ended=len(over),
        n_pruned=sum(is_pruned(end_of(trial)) for trial in over),
    )
    screen = LiveTable(console, progress) if console.is_terminal else PlainLines(console, progress)
    team = start_workers(opened, n_workers)

    def stop() -> None:
        screen.announce("Stopping after the epoch under way; Ctrl-C again stops at once.")
        team.stop()

    with screen, catch_stop_signals(stop) as interrupt, contextlib.closing(team.events()) as events:
        for event in kept_up(events, place):
            screen.show(event)
    return interrupt.requested
