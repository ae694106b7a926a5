"""What a free worker does next: promote, begin, bring to an end, confirm, wait, or leave."""

from dataclasses import dataclass

from optuna.study import Study

from hpo.config.schema import StudyConfig
from hpo.search.configurations import configurations_of
from hpo.search.samplers import make_sampler
from hpo.search.scheduler import next_completion, next_promotion
from hpo.search.successive_halving import halving_of


@dataclass(frozen=True)
class RemainingWork:
    """What is left for the configurations that a study has: whether paused ones can go on, and new seeds to train."""

    goes_on: bool
    n_seeds_missing: int
    n_seeds: int

    def commands(self, config_name: str) -> str:
        """What can be done next, where another search is not all; empty where nothing is left."""
        tune, retrain = (f"make {command} STUDY={config_name}" for command in ("tune", "best-retrain"))
        if self.n_seeds_missing:
            missing = f"{self.n_seeds_missing} of {self.n_seeds} new seeds are missing"
            return f"{tune} again, which would confirm the best ({missing}); or {retrain}, which takes the best so far"
        return f"{retrain}; or {tune} again, which would go on with paused trials" if self.goes_on else ""


def remaining_work(study: Study, config: StudyConfig) -> RemainingWork:
    """Count what a study lacks, were no configuration added to it."""
    known, confirmation = configurations_of(study), config.confirmation
    halving = halving_of(config.pruner, config.training)
    goes_on = next_promotion(known, halving, make_sampler(study, config)) or next_completion(
        known, halving, confirmation
    )
    finished = sorted((one.value, one.number, one) for one in known if one.value is not None)
    n_can_finish = sum(one.is_paused and bool(one.scores) for one in known) if halving else 0
    n_seeds = confirmation.seeds * min(confirmation.top, len(finished) + n_can_finish)
    over = [sum(trial.state.is_finished() for trial in one.confirmations) for _, _, one in finished[: confirmation.top]]
    return RemainingWork(goes_on is not None, n_seeds - sum(min(confirmation.seeds, n) for n in over), n_seeds)
