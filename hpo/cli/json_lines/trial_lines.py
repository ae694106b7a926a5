"""Events of a running search as JSON lines."""

from dataclasses import asdict
from types import TracebackType

from hpo.cli.json_lines import events
from hpo.cli.json_lines.output import emit
from hpo.search.best_trial import best_trial_of
from hpo.search.configurations import configurations_of, ended_trials, is_pruned
from hpo.workers.trial_events import Notice, TrialEnded, TrialEvent, TrialReported, TrialStarted
from hpo.workers.tuning_session import TuningSession


class TrialLines:
    """Screen that prints a JSON line for each event."""

    def __init__(self, session: TuningSession) -> None:
        self._session = session

    def __enter__(self) -> "TrialLines":
        context, budget = self._session.context, self._session.budget
        emit(
            events.SearchStarted(
                study=context.study.study_name,
                address=context.paths.address,
                epochs=context.config.training.n_epochs,
                configurations=budget.trials,
                minutes=budget.timeout_minutes,
                workers=self._session.n_workers,
            )
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def show(self, event: TrialEvent) -> None:
        """Print an event."""
        emit(_as_event(event))

    def announce(self, text: str) -> None:
        """Print a notice."""
        emit(events.Notice(text))


def emit_end(session: TuningSession, next_line: str, *, interrupted: bool) -> None:
    """Print the result of a call of `tune`."""
    study, paths = session.context.study, session.context.paths
    ended = events.SearchEnded(
        study=study.study_name,
        trials=len(ended_trials(study)),
        best=events.Best.of(best_trial_of(configurations_of(study))),
        report=paths.report,
        next=next_line.removeprefix("Next: "),
        interrupted=interrupted,
    )
    emit(ended)


def _as_event(event: TrialEvent) -> events.Event:
    if isinstance(event, Notice):
        return events.Notice(event.text)
    if isinstance(event, TrialStarted):
        return events.TrialStarted(event.number, event.values, event.epoch, event.continues, event.confirms)
    if isinstance(event, TrialReported):
        return events.TrialReported(event.number, asdict(event.metrics))
    assert isinstance(event, TrialEnded)
    kind = "pruned" if is_pruned(event.end) else event.end.partition(":")[0]
    return events.TrialEnded(event.number, kind, event.end, event.value)
