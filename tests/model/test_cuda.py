"""Training on a GPU: the CPU never waits for it, and the scores are those of a CPU."""

from dataclasses import replace

import pytest
import torch

from model.config import TrainConfig
from model.data.images import ImageData
from model.device import resolve, why_uncompiled
from model.training.batch_order import BatchOrder
from model.training.train_state import TrainState
from model.training.training_loop import _update, train

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
CONFIG = TrainConfig(latent_dim=8, channels=(8, 8, 16, 16), batch_size=32, epochs=2)


def test_an_epoch_never_waits_for_the_gpu(data: ImageData) -> None:
    runtime = resolve("cuda")
    images = data.to(runtime.device).train.images
    state = TrainState(CONFIG, runtime)
    order = BatchOrder(len(images), CONFIG.batch_size, CONFIG.seed, images.device)
    _update(state, images[order.indices(0)], 1e-3)
    torch.cuda.set_sync_debug_mode("error")
    try:
        # Past the end of a permutation.
        for step in range(1, len(images) // CONFIG.batch_size + 2):
            _update(state, images[order.indices(step)], 1e-3)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.isfinite(state.weights).all()


@pytest.mark.parametrize("compiled", [False, True])
def test_a_gpu_reaches_the_score_of_a_cpu(data: ImageData, compiled: bool) -> None:
    if compiled and (reason := why_uncompiled(torch.device("cuda"))):
        pytest.skip(f"no compilation for this GPU: {reason}")
    on_gpu = replace(resolve("cuda", "float32"), compiled=compiled)
    *_, cpu = train(TrainState(CONFIG, resolve("cpu", "float32")), data)
    *_, gpu = train(TrainState(CONFIG, on_gpu), data.to(on_gpu.device))
    assert gpu.val_bpd == pytest.approx(cpu.val_bpd, abs=0.05)
    assert gpu.skipped_updates == 0
