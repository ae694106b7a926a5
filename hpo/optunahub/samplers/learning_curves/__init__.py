"""Sampler and pruner that pause trials early and continue those whose learning curves promise most."""

from .configurations import CONTINUES, NEVER_PRUNED, Configuration, configurations_of
from .continuation import continued_trial, enqueue_completion, enqueue_promotion
from .pruner import PausingPruner
from .sampler import LearningCurveSampler

__all__ = [
    "CONTINUES",
    "NEVER_PRUNED",
    "Configuration",
    "LearningCurveSampler",
    "PausingPruner",
    "configurations_of",
    "continued_trial",
    "enqueue_completion",
    "enqueue_promotion",
]
