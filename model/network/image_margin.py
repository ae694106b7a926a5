"""Margin around images whose side cannot be halved once for each convolution, such as 28 pixels three times.

The encoder reads zeros there, and the decoder's output there is cut off: the score counts the image's own pixels.

B batch, C channels, H W pixels.
"""

from torch import Tensor
from torch.nn import functional


def with_margin(x_BCHW: Tensor, margin: int) -> Tensor:
    """Surround images with zeros, so that both sides grow by `margin` pixels."""
    first, last = margin // 2, margin - margin // 2
    return functional.pad(x_BCHW, (first, last, first, last)) if margin else x_BCHW


def without_margin(y_BCHW: Tensor, margin: int) -> Tensor:
    """Cut off what `with_margin` added."""
    first, height, width = margin // 2, y_BCHW.shape[2] - margin, y_BCHW.shape[3] - margin
    return y_BCHW[:, :, first : first + height, first : first + width] if margin else y_BCHW
