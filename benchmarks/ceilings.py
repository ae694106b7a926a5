"""Upper bounds of this machine: the model's convolutions alone, and matrix products.

B batch.
"""

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.measure import ARCHITECTURE
from model.device import Runtime, synchronize
from model.network.feature_maps import IMAGE_CHANNELS
from model.network.patch_products import KERNEL, PADDING
from model.network.strided_convolution import DownConv, UpConv
from model.network.vae import ConvVAE

MATRIX_SIDES = (1024, 2048, 4096, 8192)
_SECONDS_A_SIDE = 0.5


def convolutions(batch_size: int, runtime: Runtime, *, own: bool) -> Callable[[], None]:
    """One pass forward and backward through the model's convolutions, each on its own and on inputs in channels_last.

    They are PyTorch's own convolutions with everything in the precision at hand, or (`own`) the model's layers as
    training runs them: weights in float32, cast on the way.
    """
    layers = [
        layer
        for layer in ConvVAE(1, architecture=ARCHITECTURE).to(runtime.device).modules()
        if isinstance(layer, DownConv | UpConv)
    ]
    kind = torch.bfloat16 if runtime.precision == "bfloat16" else torch.float32
    passes = [_pass(layer, x.to(runtime.device, kind), runtime, own) for layer, x in _inputs(layers, batch_size)]

    def run() -> None:
        for run_pass in passes:
            run_pass()

    return run


def matmul_peak(runtime: Runtime) -> float:
    """The most floating-point operations a second in square matrix products of this precision."""
    sides = MATRIX_SIDES if runtime.device.type == "cuda" else MATRIX_SIDES[:3]
    return max(_matmul_rate(side, runtime) for side in sides)


def training_flops(latent_dim: int, batch_size: int = 64) -> float:
    """Floating-point operations of one image's pass forward and backward, without those on the padding."""
    # On this device the layers are PyTorch's own, and nothing is computed.
    model = ConvVAE(latent_dim, architecture=ARCHITECTURE).to("meta")
    images, noise = (
        torch.empty(batch_size, 3, 32, 32, device="meta"),
        torch.empty(batch_size, latent_dim, device="meta"),
    )
    with FlopCounterMode(display=False) as counter:
        reconstruction, mean, log_variance = model(images, noise)
        (reconstruction.sum() + mean.sum() + log_variance.sum()).backward()
    return float(counter.get_total_flops()) / batch_size - _padding_flops(model)


def _padding_flops(model: ConvVAE) -> float:
    """Return the operations that PyTorch counts on the padding: its zeros take part in every product at the edge."""
    layers = [layer for layer in model.modules() if isinstance(layer, DownConv | UpConv)]
    total = 0.0
    for layer, x in _inputs(layers, 1):
        small = x.shape[2] // 2 if isinstance(layer, DownConv) else x.shape[2]
        # Forward and the gradients of weight and input; nobody asks for that of the images.
        n_passes = 2 if layer.in_channels == IMAGE_CHANNELS else 3
        # On each side of an image, one of the 4 pixels under a kernel lies outside.
        n_products = (KERNEL * small) ** 2 - (KERNEL * small - 2 * PADDING) ** 2
        total += 2 * n_passes * n_products * layer.in_channels * layer.out_channels
    return total


def _inputs(layers: list[DownConv | UpConv], batch_size: int) -> list[tuple[DownConv | UpConv, Tensor]]:
    """Each layer with an input of the size that it meets in the model."""
    found: list[tuple[DownConv | UpConv, Tensor]] = []
    side = 32
    for layer in layers:
        x = torch.randn(batch_size, layer.in_channels, side, side).contiguous(memory_format=torch.channels_last)
        found.append((layer, x))
        side = side // 2 if isinstance(layer, DownConv) else side * 2
    return found


def _pass(layer: DownConv | UpConv, x: Tensor, runtime: Runtime, own: bool) -> Callable[[], object]:
    # Nobody asks for the gradient of the images.
    x.requires_grad_(layer.in_channels > 3)
    if not own:
        layer.to(x.dtype)
    parent = nn.Conv2d if isinstance(layer, DownConv) else nn.ConvTranspose2d

    def forward() -> Tensor:
        if not own:
            return parent.forward(layer, x)  # type: ignore[arg-type]
        with runtime.autocast():
            return layer.forward(x)

    inputs = [tensor for tensor in (x, *layer.parameters()) if tensor.requires_grad]
    slope = torch.randn_like(forward())
    return lambda: torch.autograd.grad(forward(), inputs, slope)


def _matmul_rate(side: int, runtime: Runtime) -> float:
    kind = torch.bfloat16 if runtime.precision == "bfloat16" else torch.float32
    left, right = (torch.randn(side, side, device=runtime.device, dtype=kind) for _ in range(2))
    n_products, seconds = 1, 0.0
    # Twice as many until they take long enough; the first ones warm up.
    while seconds < _SECONDS_A_SIDE:
        n_products *= 2
        synchronize(runtime.device)
        began = time.perf_counter()
        for _ in range(n_products):
            _ = left @ right
        synchronize(runtime.device)
        seconds = time.perf_counter() - began
    return 2 * side**3 * n_products / seconds
