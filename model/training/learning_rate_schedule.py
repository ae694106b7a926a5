"""Learning rate over a run: linear warm-up, then constant, also for schedule-free Adam, or half a cosine."""

import math

from model.config import TrainConfig


def learning_rate_at(config: TrainConfig, step: int, n_train: int) -> float:
    """Return the learning rate of update `step`, which counts from 0, of T updates, W of them warm-up.

    learning_rate * (step + 1) / W                            during the warm-up, step < W
    learning_rate                                             then, if the schedule is constant or schedule_free
    learning_rate * (1 + cos(pi * (step - W) / (T - W))) / 2  then, if it is cosine (Loshchilov & Hutter 2017)
    """
    total = config.step_at(config.n_reports, n_train)
    n_warmup = min(total, math.ceil(config.warmup_epochs * n_train / config.batch_size))
    if step < n_warmup:
        return config.learning_rate * (step + 1) / n_warmup
    if config.schedule != "cosine":
        return config.learning_rate
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - n_warmup) / (total - n_warmup)))
