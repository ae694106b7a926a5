"""State of a running search as the terminal shows it: a row per trial, the best trial and the remaining budget."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hpo.analysis.formatting import counted, format_duration
from hpo.analysis.further_search import further_search_of, gain_in_words
from hpo.config.search_space import searched
from hpo.search.best_trial import BestTrial, best_trial_of
from hpo.search.configurations import configurations_of, end_of, ended_trials, is_pruned, is_started
from hpo.search.learning_curves.further_search import FurtherSearch
from hpo.search.samplers import sampler_of
from hpo.workers.trial_events import Notice, TrialEvent, TrialReported, TrialStarted
from hpo.workers.tuning_session import TuningSession

# Time between two predictions of what a further search brings, at least, and as a multiple of the time that one takes.
_PREDICTION_S, _PREDICTION_RATIO = 30.0, 50.0


@dataclass
class TrialProgressRow:
    """Row of one trial; `relation` names the trial that it continues or confirms, if any."""

    values: dict[str, Any]
    epoch: float
    val_bpd: float | None = None
    end: str = "running"
    relation: str = ""


@dataclass
class Progress:
    """Rows by trial number, the best finished trial, the remaining budget, and what a further search may bring.

    `started` holds the number of the first trial of each configuration; `n_total` is the limit of their count.
    `find_best` looks up the best trial, `predict_further` what a further search brings.
    """

    columns: list[str]
    epochs: int
    n_total: int | None
    deadline: float | None
    find_best: Callable[[], BestTrial | None]
    predict_further: Callable[[], FurtherSearch | None]
    started: set[int] = field(default_factory=set)
    n_ended: int = 0
    n_pruned: int = 0
    rows: dict[int, TrialProgressRow] = field(default_factory=dict)
    best: BestTrial | None = field(init=False)
    further: FurtherSearch | None = field(default=None, init=False)
    _predict_at: float = field(default=-math.inf, init=False)

    def __post_init__(self) -> None:
        self.best = self.find_best()

    def update(self, event: TrialEvent) -> None:
        """Apply an event to the rows."""
        if isinstance(event, Notice):
            return
        if isinstance(event, TrialStarted):
            self._add(event)
            return
        row = self.rows.setdefault(event.number, TrialProgressRow({}, 0.0))
        if isinstance(event, TrialReported):
            row.epoch, row.val_bpd = event.metrics.epoch, event.metrics.val_bpd
            return
        row.end = event.end
        self.n_ended += 1
        self.n_pruned += is_pruned(event.end)
        self.best = self.find_best()
        if (now := time.monotonic()) >= self._predict_at:
            self.further = self.predict_further()
            self._predict_at = now + max(_PREDICTION_S, _PREDICTION_RATIO * (time.monotonic() - now))

    def _add(self, event: TrialStarted) -> None:
        relation = ""
        if event.continues is not None:
            relation = f"continues trial {event.continues}"
        elif event.confirms is not None:
            relation = f"confirms trial {event.confirms}"
        else:
            self.started.add(event.number)
        self.rows[event.number] = TrialProgressRow(event.values, event.epoch, relation=relation)

    def status(self) -> str:
        """Return one line: ended trials, pruned trials, best trial, remaining time."""
        total = f", {len(self.started)} of {self.n_total} configurations" if self.n_total else ""
        best = f"{self.best.label} with {self.best.score:.4f}" if self.best else "none finished yet"
        ended = f"{counted(self.n_ended, 'trial')} ended"
        return f"{ended}{total}, {self.n_pruned} pruned, {best}{self._time_left()}{self._outlook()}"

    def _outlook(self) -> str:
        if self.further is None:
            return ""
        return f"; another {self.further.minutes:g} min: {gain_in_words(self.further)} better"

    def _time_left(self) -> str:
        if self.deadline is None:
            return ""
        left = max(0.0, self.deadline - time.monotonic())
        return f", {format_duration(left)} left"


def progress_of(session: TuningSession) -> Progress:
    """Return the progress of a session before its first event."""
    study, config = session.context.study, session.context.config
    ended = ended_trials(study)
    return Progress(
        columns=list(searched(config.hyperparameters)),
        epochs=config.training.n_epochs,
        n_total=session.budget.trials,
        deadline=session.deadline,
        find_best=lambda: best_trial_of(configurations_of(study)),
        predict_further=lambda: further_search_of(study, config, sampler_of(study, config)),
        started={trial.number for trial in study.get_trials(deepcopy=False) if is_started(trial)},
        n_ended=len(ended),
        n_pruned=sum(is_pruned(end_of(trial)) for trial in ended),
    )
