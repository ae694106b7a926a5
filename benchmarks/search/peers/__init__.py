"""Searches of other packages, which `requirements-peers.txt` installs; each decides by that package's own code.

All begin with the tutorial's values, as ours does.
"""

from benchmarks.search.table import N_EPOCHS

# Epochs before a configuration may be stopped, as in ours.
FIRST_RUNG = N_EPOCHS // 4
REDUCTION_FACTOR = 3
