"""Work that remains for the configurations of a study, without any new one."""

from dataclasses import dataclass

from optuna.samplers import BaseSampler
from optuna.study import Study

from hpo.config.schema import StudyConfig
from hpo.search.configurations import configurations_of
from hpo.search.missing_confirmations import to_confirm
from hpo.search.pruners import halving_of
from hpo.search.scheduler import Plan, affordable_confirmation, completion_step, promotion_step
from hpo.user_commands import user_command


@dataclass(frozen=True)
class RemainingWork:
    """Remaining work of a study.

    `can_continue` is True if a paused trial can be continued; of `n_seeds` new seeds for confirmation,
    `n_seeds_missing` are not trained yet.
    """

    can_continue: bool
    n_seeds_missing: int
    n_seeds: int

    def next_commands(self, config_name: str) -> str:
        """Return the commands that do the remaining work, and the alternative; empty if no work remains."""
        tune, retrain = (user_command(command, config_name) for command in ("tune", "retrain"))
        if self.n_seeds_missing:
            return (
                f"{tune} to confirm the best ({self.n_seeds_missing} of {self.n_seeds} new seeds are missing); "
                f"or {retrain} to retrain the best so far"
            )
        return f"{retrain}; or {tune} to continue paused trials" if self.can_continue else ""


def remaining_work(study: Study, config: StudyConfig, sampler: BaseSampler) -> RemainingWork:
    """Determine the work that remains if no configuration is added to the study.

    Args:
        study: the study.
        config: the study's file.
        sampler: the study's sampler, which may predict final scores.
    """
    configurations, confirmation = configurations_of(study), config.confirmation
    halving = halving_of(config.pruner, config.training)
    promotion = promotion_step(configurations, halving, sampler)
    step = promotion or completion_step(configurations, halving, confirmation, sampler)
    is_over = step is None and config.budget.trials is not None and len(configurations) >= config.budget.trials
    # As long as there is something to search, a call trains the new seeds alone that it reserves time for.
    plan = Plan.of_call(config.budget.timeout_minutes, n_workers=1)
    is_affordable = is_over or affordable_confirmation(configurations, config, plan).top > 0
    confirmed = to_confirm(configurations, confirmation) if is_affordable else []
    n_trained = [sum(trial.state.is_finished() for trial in configuration.confirmations) for configuration in confirmed]
    n_seeds = confirmation.seeds * len(confirmed)
    return RemainingWork(
        can_continue=step is not None,
        n_seeds_missing=n_seeds - sum(min(confirmation.seeds, n) for n in n_trained),
        n_seeds=n_seeds,
    )
