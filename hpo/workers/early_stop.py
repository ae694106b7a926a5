"""The pruner's decision on a running trial."""

import optuna

from hpo.analysis.earlier_best import Row
from hpo.optunahub.samplers.learning_curves.configurations import NEVER_PRUNED
from hpo.search.pruners import decides_at, pruning_reason
from hpo.storage.backend import backend_of
from hpo.workers.trial_context import TrialContext


def is_stopped_early(trial: optuna.trial.Trial, context: TrialContext, history: list[Row]) -> bool:
    """Return True if the pruner stops or pauses a trial after the last row of its history."""
    # Optuna's `should_prune` refuses several objectives.
    may_stop = len(trial.study.directions) == 1 and not trial.user_attrs.get(NEVER_PRUNED)
    is_last = len(history) >= context.config.training.n_reports
    if not may_stop or is_last or not decides_at(trial.study.pruner, len(history)):
        return False
    # The pruner reads the study, in which the last report may still be missing.
    backend_of(context.paths).files.settle(trial)
    return trial.should_prune()


def pruned_end(context: TrialContext, number: int, history: list[Row]) -> str:
    """Return the `end` of a trial that the pruner stops after the last row of its history."""
    return pruning_reason(context.study, number, history[-1]["epoch"], [row["val_bpd"] for row in history])
