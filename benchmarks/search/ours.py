"""This project's own search, made of the very parts that `hpo tune` runs: what is next, who pauses, what is sampled."""

from dataclasses import dataclass, field
from math import inf
from time import process_time

import optuna
from optuna.study import Study
from optuna.trial import Trial, TrialState

from benchmarks.search.optuna_search import Best
from benchmarks.search.protocol import Call, Job, Space, Values
from benchmarks.search.table import N_EPOCHS
from hpo.config.hyperparameters import TUTORIAL, Hyperparameters, Range
from hpo.config.schema import Budget, Confirmation, Pruner, StudyConfig, Training
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES, NEVER_PRUNED
from hpo.search.configurations import END, configurations_of
from hpo.search.pruners import HalvingPruner
from hpo.search.samplers import MAX_STARTUP_TRIALS, ConfigurationSampler
from hpo.search.scheduler import Plan, next_step

# Something must be searched for a study's file to be one; the space itself comes from the simulator.
_SEARCHED = Hyperparameters(beta=Range[float](low=0.3, high=3.0, log=True))


@dataclass
class Ours:
    """Halving with promotion, as `hpo.workers` decides it, without the database and the training.

    Nothing is confirmed: what is compared is how soon the best values are found.
    """

    seed: int
    space: Space
    sampler: str = "curves"
    # A quarter of the training.
    first_rung: int = N_EPOCHS // 4
    factor: int = 3
    _trials: dict[int, Trial] = field(default_factory=dict)
    _call: Call | None = None
    _spent_s: float = 0.0
    _best: Best = field(default_factory=Best)

    def __post_init__(self) -> None:
        pruner = Pruner(name="halving", warmup_epochs=self.first_rung, reduction_factor=self.factor)
        self._config = StudyConfig(
            name="replayed",
            hyperparameters=_SEARCHED,
            training=Training(epochs=N_EPOCHS),
            budget=Budget(timeout_minutes=1.0),
            pruner=pruner,
            confirmation=Confirmation(top=0),
        )
        sampler = ConfigurationSampler(self.sampler, self.space, self.seed, MAX_STARTUP_TRIALS, N_EPOCHS)
        self.study: Study = optuna.create_study(sampler=sampler, pruner=HalvingPruner(pruner, self._config.training))
        # As every study does that admits them.
        self.study.enqueue_trial({name: getattr(TUTORIAL, name) for name in self.space})

    def begin_with(self, values: Values) -> None:
        """Train these values to the end, after those that are waiting: as a new study does with untuned ones."""
        if values not in [trial.system_attrs["fixed_params"] for trial in self.study.get_trials(deepcopy=False)]:
            self.study.enqueue_trial(values, user_attrs={NEVER_PRUNED: True})

    def plan(self, call: Call) -> None:
        """Keep time of a call for the training of the best configuration to the end, as `hpo tune` does."""
        self._call = call

    def next(self) -> Job | None:
        """A promotion, or a new configuration; None where the call has no time for either."""
        began = process_time()
        job = self._next()
        self._spent_s += process_time() - began
        return job

    def _next(self) -> Job | None:
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        plan, remaining_s = Plan(), inf
        if self._call:
            plan = Plan.of_call(self._call.limit_s / 60, 1, self._call.trial_s)
            remaining_s = self._call.limit_s - self._spent_s
        step = next_step(configurations_of(self.study), self._config, plan, None, remaining_s, self.study.sampler)
        if step.action == "stop":
            return None
        if step.configuration and not waiting:
            self.study.enqueue_trial(step.configuration.params, user_attrs=dict(step.attributes))
        trial = self.study.ask(self.space)
        before: int | None = trial.user_attrs.get(CONTINUES)
        if before is not None:
            for epoch, val_bpd in self.study.get_trials(deepcopy=False)[before].intermediate_values.items():
                trial.report(val_bpd, epoch)
        (configuration,) = (
            configuration
            for configuration in configurations_of(self.study)
            if configuration.last_trial.number == trial.number
        )
        self._trials[configuration.number] = trial
        return Job(configuration.number, trial.params)

    def report(self, job: Job, epoch: int, val_bpd: float) -> bool:
        """Pause at a rung that is not passed."""
        trial = self._trials[job.key]
        trial.report(val_bpd, epoch)
        if self._call:
            epoch_s = self._call.epoch_s(job.values)
            self._spent_s += epoch_s
            trial.set_user_attr("epoch", epoch)
            trial.set_user_attr("elapsed_s", epoch * epoch_s)
        if epoch == N_EPOCHS:
            trial.set_user_attr(END, "finished")
            self.study.tell(trial, val_bpd)
            self._best.hear(job.values, val_bpd)
        elif not trial.user_attrs.get(NEVER_PRUNED) and trial.should_prune():
            trial.set_user_attr(END, "pruned")
            self.study.tell(trial, state=TrialState.PRUNED)
            return True
        return False

    def incumbent(self) -> Values | None:
        """The best full-length run's."""
        return self._best.values
