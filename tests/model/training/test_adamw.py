"""AdamW without PyTorch's compiler."""

import subprocess
import sys
from itertools import count

import torch

from model.training.adamw import AdamW

TRAIN = """
import sys, torch
from model.training.adamw import AdamW

weights = torch.ones(3, requires_grad=True)
optimizer = AdamW([weights], fused=True)
weights.sum().backward()
optimizer.step()
optimizer.zero_grad()
optimizer.load_state_dict(optimizer.state_dict())
print("torch._dynamo" in sys.modules)
"""


def test_updates_state_and_hooks_are_those_of_pytorchs_own() -> None:
    generator, found = torch.Generator().manual_seed(0), []
    gradients = torch.randn(5, 7, generator=generator)
    for kind in (torch.optim.AdamW, AdamW):
        weights, calls = torch.linspace(-1, 1, 7).requires_grad_(), count()
        optimizer = kind([weights], lr=0.1, betas=(0.9, 0.98), weight_decay=0.3, fused=True)
        optimizer.register_step_post_hook(lambda *_, calls=calls: next(calls))
        for gradient in gradients:
            weights.grad = gradient.clone()
            optimizer.step()
        copy = kind([weights.detach().clone().requires_grad_()])
        copy.load_state_dict(optimizer.state_dict())
        found.append((weights.detach(), next(calls), copy.state_dict()["state"][0], copy.param_groups[0]["lr"]))
    (weights, n_calls, state, rate), (own_weights, own_n_calls, own_state, own_rate) = found
    assert torch.equal(own_weights, weights) and own_weights.grad_fn is None
    assert (own_n_calls, own_rate) == (n_calls, rate) == (5, 0.1)
    assert all(torch.equal(own_state[name], state[name]) for name in ("step", "exp_avg", "exp_avg_sq"))


def test_the_compiler_is_not_imported() -> None:
    done = subprocess.run([sys.executable, "-c", TRAIN], capture_output=True, text=True, timeout=120)
    assert done.stdout == "False\n", done.stderr
