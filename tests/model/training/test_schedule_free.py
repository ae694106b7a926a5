"""Schedule-free Adam: as in its paper, up to how many updates the average takes at once."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from model.data.images import ImageData, to_unit
from model.device import Runtime
from model.scoring.evaluation import measure_statistics
from model.training import schedule_free
from model.training.schedule_free import BETA, ScheduleFreeAdam
from model.training.train_state import TrainState
from model.training.training_loop import train
from tests.model.conftest import SMALL

RATE, BETA2, N_WARMUP, N_STEPS = 1e-2, 0.98, 10, 300


def make(start: Tensor) -> tuple[Tensor, Tensor, ScheduleFreeAdam]:
    """Return weights, gradients and an optimizer with two parameter groups."""
    weights, gradients = start.clone(), torch.zeros_like(start)
    groups = []
    for part, gradient in zip(weights.split([20, 30]), gradients.split([20, 30]), strict=True):
        part.grad = gradient
        groups.append({"params": [part]})
    return weights, gradients, ScheduleFreeAdam(weights, groups, BETA2, fused=True)


def problem() -> tuple[Tensor, Callable[[Tensor, int], Tensor]]:
    """Return first weights, and the gradients of a noisy problem by weights and step."""
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(50, generator=generator, dtype=torch.float64)
    matrix = torch.randn(50, 50, generator=generator, dtype=torch.float64)
    return start, lambda weights, step: matrix.T @ (matrix @ weights) + torch.sin(weights * step)


def rate_at(step: int) -> float:
    return RATE * min(1.0, (step + 1) / N_WARMUP)


def minimize(optimizer: ScheduleFreeAdam, weights: Tensor, gradients: Tensor, first: int, last: int) -> None:
    _, gradient_of = problem()
    optimizer.begin()
    for step in range(first, last):
        gradients.copy_(gradient_of(weights, step))
        for group in optimizer.param_groups:
            group["lr"] = (1 - BETA) * rate_at(step)
        optimizer.step()
    optimizer.end()


@pytest.mark.parametrize("most", [1, 8])
def test_weights_are_the_average_of_the_paper_which_takes_more_updates_at_once_later(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With 1, the authors' own package (schedulefree 1.4.1) gives the same weights up to 1e-14.
    monkeypatch.setattr(schedule_free, "_MOST_AT_ONCE", most)
    start, gradient_of = problem()
    weights, gradients, optimizer = make(start)
    minimize(optimizer, weights, gradients, 0, N_STEPS)
    z, x, second = start.clone(), start.clone(), torch.zeros_like(start)
    n_taken, total, pending = 0, 0.0, 0.0
    for step in range(N_STEPS):
        y = BETA * x + (1 - BETA) * z
        gradient = gradient_of(y, step)
        second = BETA2 * second + (1 - BETA2) * gradient**2
        z = z - rate_at(step) * gradient / ((second / (1 - BETA2 ** (step + 1))).sqrt() + 1e-8)
        pending += rate_at(step) ** 2
        n_at_once = min(most, 1 + (step + 1) // 64)
        if step + 1 - n_taken >= n_at_once or step + 1 == N_STEPS:
            total += pending
            x = x + pending / total * (z - x)
            n_taken, pending = step + 1, 0.0
    assert torch.allclose(weights, x, rtol=0, atol=1e-11)


def test_a_resumed_one_goes_on_to_the_last_bit() -> None:
    start, _ = problem()
    weights, gradients, optimizer = make(start)
    minimize(optimizer, weights, gradients, 0, 150)
    resumed_weights, resumed_gradients, resumed = make(weights)
    resumed.load_state_dict(optimizer.state_dict())
    minimize(optimizer, weights, gradients, 150, N_STEPS)
    minimize(resumed, resumed_weights, resumed_gradients, 150, N_STEPS)
    assert torch.equal(resumed_weights, weights)
    untrained, _, other = make(start)
    other.load_state_dict(make(start)[2].state_dict())
    minimize(other, untrained, other.param_groups[0]["params"][0].grad.new_zeros(50), 0, 0)
    assert torch.equal(untrained, start)


def test_outside_of_updates_a_model_has_the_averages_also_after_an_error(
    few_images: ImageData, runtime: Runtime
) -> None:
    state = TrainState(replace(SMALL, epochs=1, batch_size=4, schedule="schedule_free"), runtime)
    list(train(state, few_images))
    averages = state.weights.clone()
    with pytest.raises(KeyboardInterrupt), state.updating():
        assert (state.weights - averages).abs().max() > 1e-4
        raise KeyboardInterrupt
    assert torch.equal(state.weights, averages)


def test_batch_normalisation_has_the_statistics_of_the_averages(few_images: ImageData, runtime: Runtime) -> None:
    config = replace(SMALL, epochs=2, batch_size=8, learning_rate=3e-2, schedule="schedule_free", architecture="plain")
    state = TrainState(config, runtime)
    list(train(state, few_images))
    norm = next(layer for layer in state.model.modules() if isinstance(layer, torch.nn.BatchNorm2d))
    inputs: list[Tensor] = []
    norm.register_forward_hook(lambda _, given, __: inputs.append(given[0].detach()))
    with torch.no_grad():
        state.model.eval()(to_unit(few_images.train.images), torch.zeros(64, config.latent_dim))
    (found,) = inputs
    assert norm.running_mean is not None
    assert torch.allclose(norm.running_mean, found.mean((0, 2, 3)), atol=0.1 * float(found.std()))
    before = state.statistics.clone()
    with state.updating():
        measure_statistics(state.model, few_images.train.images, config.batch_size, runtime)
    assert not torch.allclose(state.statistics, before, rtol=1e-3)
