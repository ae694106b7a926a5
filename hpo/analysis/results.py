"""Results of a study as values: its best trial and how it compares."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optuna.study import Study

from hpo.analysis.ppca_baseline import LinearModel, PpcaBaseline, PpcaVerdict, ppca_name, ppca_verdict
from hpo.analysis.run_metrics import ImageCounts
from hpo.analysis.trial_table import TrialRow, trial_rows
from hpo.config.schema import StudyConfig
from hpo.config.search_space import edges_of, searched, tutorial_values
from hpo.search.best_trial import BestTrial, best_trial_of
from hpo.search.configurations import configurations_of

# Trials within so many bits per dimension of the best one could as well have been the best.
NEAR_BPD = 0.01
# A code that costs at most so many bits per dimension may be worth it if it is shorter.
SHORTER_CODE_BPD = 0.05


@dataclass(frozen=True)
class StudyResults:
    """The best trial of a study and what it compares with.

    `best_row` is its row in the trial table. `near` are the scores of all finished trials within NEAR_BPD of it,
    ascending, its own included; `runner_up` is the best score of another trial; `luckier` is a trial that scored lower
    itself but was not confirmed by new seeds. `first` is the study's first trial; if `first_is_tutorial`, it had the
    tutorial's values of all searched hyperparameters. `ppca_bpd` is the score of probabilistic PCA with the best
    trial's latent dimension, if known, and `ppca_name` its name in a sentence. `better_linear` is the best linear
    model with a longer code within the study's range, if it scores lower than the best trial; `linear_at_rate` has
    the rate of the best trial, if the baseline reaches it. `shorter_code` is the trial of the smallest latent
    dimension within SHORTER_CODE_BPD of the best one, if its code is shorter. `at_edge` names the hyperparameters whose
    best value lies at the end of its range, but not the largest latent dimension: then `has_longest_code` is true, in a
    search by score alone.
    """

    best: BestTrial
    best_row: TrialRow
    n_finished: int
    near: tuple[float, ...]
    runner_up: float | None
    first: TrialRow
    first_is_tutorial: bool
    ppca_bpd: float | None
    ppca_name: str
    better_linear: LinearModel | None
    linear_at_rate: LinearModel | None
    shorter_code: TrialRow | None
    at_edge: tuple[str, ...]
    has_longest_code: bool
    luckier: TrialRow | None

    @property
    def ppca_verdict(self) -> PpcaVerdict | None:
        """Comparison of the best trial with probabilistic PCA; None if pPCA's score is not known."""
        if self.ppca_bpd is None:
            return None
        return ppca_verdict(self.best.val_bpd, self.ppca_bpd, overfitted=self.best_row.earlier_best is not None)

    @property
    def verdict_at_rate(self) -> PpcaVerdict | None:
        """Comparison of the best trial with the linear model of its rate; None if that is not known."""
        if self.linear_at_rate is None:
            return None
        return ppca_verdict(
            self.best.val_bpd, self.linear_at_rate.bpd, overfitted=self.best_row.earlier_best is not None
        )

    @property
    def first_is_best(self) -> bool:
        """True if no later trial has beaten the first one."""
        return self.first.number == self.best.number

    @property
    def ahead_of_first(self) -> float | None:
        """Score of the first trial less that of the best; None if they are the same, or the first did not finish."""
        if self.first_is_best or self.first.kind != "finished" or self.first.val_bpd is None:
            return None
        return self.first.val_bpd - self.best.val_bpd


def study_results(study: Study, config: StudyConfig, baseline: PpcaBaseline) -> StudyResults | None:
    """Compute the results of a study; None if no trial has finished.

    Args:
        study: the study.
        config: the study's file.
        baseline: validation scores of probabilistic PCA.
    """
    best = best_trial_of(configurations_of(study))
    if best is None:
        return None
    rows = trial_rows(study, config)
    by_number = {row.number: row for row in rows}
    best_row = by_number[best.number]
    scores = {row.number: row.val_bpd for row in rows if row.kind == "finished" and row.val_bpd is not None}
    lowest, _ = min(scores.items(), key=lambda score: (score[1], score[0]))
    latent_dim, largest = int(best_row.values["latent_dim"]), int(config.hyperparameters.largest("latent_dim"))
    edges = edges_of(config.hyperparameters, best_row.values)
    is_longest = edges.get("latent_dim") == "upper"
    longer = baseline.best_model(latent_dim, largest)
    images = ImageCounts.from_dict(study.user_attrs["data"])
    return StudyResults(
        best=best,
        best_row=best_row,
        n_finished=len(scores),
        near=tuple(score for score in sorted(scores.values()) if abs(score - best.val_bpd) <= NEAR_BPD),
        runner_up=min((score for number, score in scores.items() if number != best.number), default=None),
        first=_first(rows),
        first_is_tutorial=tutorial_values(config.hyperparameters).keys() == searched(config.hyperparameters).keys(),
        ppca_bpd=baseline.bpd.get(latent_dim),
        ppca_name=ppca_name(latent_dim, images.n_train, images.n_dims),
        better_linear=longer if longer and longer.bpd < best.val_bpd else None,
        linear_at_rate=baseline.model_at_rate(best_row.rate_nats) if best_row.rate_nats is not None else None,
        shorter_code=_shorter_code(rows, scores, best, latent_dim),
        at_edge=tuple(name for name in edges if not (name == "latent_dim" and is_longest)),
        has_longest_code=is_longest and "latent_dim" not in config.objectives,
        luckier=by_number[lowest] if lowest != best.number else None,
    )


def _shorter_code(
    rows: Sequence[TrialRow], scores: Mapping[int, float], best: BestTrial, latent_dim: int
) -> TrialRow | None:
    """Return the finished trial of the shortest code within SHORTER_CODE_BPD of the best one, if it is shorter.

    Of equally short codes the one of the lowest score.
    """
    close = [row for row in rows if scores.get(row.number, math.inf) <= best.val_bpd + SHORTER_CODE_BPD]
    shortest = min(close, key=lambda row: (row.values["latent_dim"], scores[row.number]))
    return shortest if shortest.values["latent_dim"] < latent_dim else None


def _first(rows: Sequence[TrialRow]) -> TrialRow:
    """Return the row of the study's first trial, or of the last trial that continues it."""
    first = rows[0]
    for row in rows:
        if row.continues == first.number:
            first = row
    return first
