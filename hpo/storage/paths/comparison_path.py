"""Path of the page that compares studies."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from hpo.config.schema import COMPARE_NAME
from hpo.storage.paths.run_paths import RESULTS

# File systems allow 255 bytes.
_MAX_STEM = 200


def comparison_page(names: Sequence[str]) -> Path:
    """Return the path of the page that compares these studies; a plus, which no name has, stands between them."""
    stem = "+".join(names)
    if len(stem) > _MAX_STEM:
        stem = f"{stem[:_MAX_STEM]}+{hashlib.sha256(stem.encode()).hexdigest()[:8]}"
    return RESULTS / COMPARE_NAME / f"{stem}.html"
