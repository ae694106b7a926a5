"""What a judge is: mean learning curves anywhere in the space, by a model of the table.

A search whose sampler is a Gaussian process may look good on a Gaussian process alone. Each judge draws its curves anew
for a repetition, as far as it can: what was chosen by one draw is not chosen by the next.
"""

from collections.abc import Callable
from typing import Protocol

from benchmarks.search.gaussian_process import Array
from benchmarks.search.protocol import Values


class Judge(Protocol):
    """A model of a table's curves."""

    def draw(self, repetition: int) -> Callable[[Values], Array]:
        """Return val_bpd after each epoch without noise, shape (E,), as a function of values."""
