"""Searches of other packages, which `requirements-peers.txt` installs; each decides by that package's own code.

All begin with the tutorial's values, as ours does.
"""

from collections.abc import Mapping
from typing import Any

from benchmarks.search.protocol import Values
from benchmarks.search.table import N_EPOCHS

# Epochs before a configuration may be stopped, as in ours.
FIRST_RUNG = N_EPOCHS // 4
REDUCTION_FACTOR = 3


def plain(values: Mapping[str, Any]) -> Values:
    """Return Python's own numbers for NumPy's."""
    return {name: value.item() if hasattr(value, "item") else value for name, value in values.items()}
