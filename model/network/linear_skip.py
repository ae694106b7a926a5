"""Architecture `linear_skip`: convolutions with a linear skip connection, from the pixels to the code and back.

The linear skip embeds each patch of 4x4 pixels as one pixel of a map: 8x8 for 32x32 pixels. Two convolutions compute a
map of the same shape from the image, and a share c of it is added; the decoder mirrors this. (DC-AE, Chen et al. 2024,
arXiv 2410.10733, has ways of fixed weights past each of its stages.)

    encoder:  h = E x + c f(x),  mean = W h
    decoder:  h = V z,           y = E' h + c g(h)

With 48 channels the map holds as many numbers as the image, and E only rotates them: nothing is lost before the code.
Further convolutions, if there are any, compute a smaller map from h, which the code is read from as well.

The first W has orthonormal rows, and V = W': an untrained network projects images onto random directions, as many as
the code has, and training turns these. With weights drawn independently of each other its images have nothing to do
with the originals, and one epoch ends 0.16 bits per dimension higher (512 dimensions).

B batch, C channels, H W pixels, N features.
"""

import torch
from torch import Tensor, nn

from model.network.convolution_stack import ConvolutionStack
from model.network.feature_maps import IMAGE_CHANNELS, N_BESIDE
from model.network.initial_weights import keep_variance
from model.network.strided_convolution import DownConv, UpConv

PATCH = 2**N_BESIDE
# c of the module's head: what the convolutions compute has about unit variance.
SHARE = 0.3
# Inverse of the pixels' standard deviation.
PIXEL_GAIN = 4.0
_FIRST_LOG_VARIANCE = -4.0


class SkipDown(nn.Module):
    """Images (B, C, H, W) around zero to features (B, N)."""

    def __init__(self, channels: tuple[int, ...], n_colours: int = IMAGE_CHANNELS) -> None:
        super().__init__()
        self.embedding = nn.Conv2d(n_colours, channels[N_BESIDE - 1], PATCH, PATCH, bias=False)
        nn.init.orthogonal_(self.embedding.weight)
        beside, above = (n_colours, *channels[:N_BESIDE]), channels[N_BESIDE - 1 :]
        self.beside = ConvolutionStack.of_blocks(DownConv, beside, "linear_skip")
        self.above = ConvolutionStack.of_blocks(DownConv, above, "linear_skip")

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return the features of all maps, in the order of `map_shapes`."""
        scaled = PIXEL_GAIN * x_BCHW
        h_BCHW: Tensor = self.embedding(scaled) + SHARE * self.beside(scaled)
        if not self.above:
            return h_BCHW.flatten(1)
        return torch.cat([h_BCHW.flatten(1), SHARE * self.above(h_BCHW).flatten(1)], dim=1)


class _PatchUp(nn.ConvTranspose2d):
    """Transposed convolution that turns each pixel of a map into a patch of an image; no two patches overlap.

    On a CPU it is one matrix product: in float32 at batch 64, 0.27 ms where oneDNN takes 1.8 (two cores, Zen 4 without
    AVX-512).
    """

    def __init__(self, n_in: int, n_colours: int) -> None:
        super().__init__(n_in, n_colours, PATCH, PATCH, bias=False)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Return images, each side four times as long, of a map (B, C, H, W)."""
        if x.device.type != "cpu" or output_size is not None:
            return super().forward(x, output_size)
        patches = x.permute(0, 2, 3, 1) @ self.weight.permute(0, 2, 3, 1).flatten(1)
        rows = patches.unflatten(3, (PATCH, -1)).transpose(2, 3).flatten(1, 2)
        images: Tensor = rows.unflatten(3, (PATCH, self.out_channels)).flatten(2, 3).permute(0, 3, 1, 2)
        return images


class SkipUp(nn.Module):
    """Maps (B, C, H, W) to images around zero."""

    def __init__(self, channels: tuple[int, ...], n_colours: int = IMAGE_CHANNELS) -> None:
        super().__init__()
        beside, above = channels[:N_BESIDE], channels[N_BESIDE - 1 :]
        self.above = ConvolutionStack.of_blocks(UpConv, above[::-1], "linear_skip")
        self.beside = ConvolutionStack.of_blocks(UpConv, beside[::-1], "linear_skip")
        to_image = UpConv(beside[0], n_colours, bias=True)
        keep_variance(to_image, gain=1 / PIXEL_GAIN)
        self.beside.append(to_image)
        self.projection = _PatchUp(beside[-1], n_colours)

    @property
    def output_layers(self) -> list[nn.Module]:
        """Layers whose outputs are added to the image."""
        return [self.projection, self.beside[-1]]

    def forward(self, h_BCHW: Tensor, smaller_BCHW: Tensor | None = None) -> Tensor:
        """Return the images, not clamped, from the map of the linear skip and from the smaller one, if there is one."""
        if smaller_BCHW is not None:
            h_BCHW = h_BCHW + SHARE * self.above(smaller_BCHW)
        y_BCHW: Tensor = self.projection(h_BCHW) + SHARE * self.beside(h_BCHW)
        return y_BCHW


@torch.no_grad()
def begin_as_projection(
    down: SkipDown, mean: nn.Linear, log_variance: nn.Linear, project: nn.Linear, up: SkipUp, n_reached: int
) -> None:
    """Set the first weights of the layers on either side of the code, and of the decoder's linear skip.

    `n_reached` is the number of values of the linear skip's map. The noise of the code begins small, so that the
    decoder can read it from the first update on.
    """
    nn.init.zeros_(log_variance.weight)
    nn.init.constant_(log_variance.bias, _FIRST_LOG_VARIANCE)
    keep_variance(mean, gain=1.0)
    keep_variance(project, gain=1.0)
    directions = nn.init.orthogonal_(torch.empty(mean.out_features, n_reached))
    mean.weight[:, :n_reached] = directions
    project.weight[:n_reached] = directions.T
    up.projection.weight.copy_(down.embedding.weight / PIXEL_GAIN)
