"""Probabilistic PCA's score on a study's validation split, computed once and kept."""

import json

from hpo.paths import StudyPaths
from model import ppca
from model.atomic import write_text
from model.data import ImageData


def validation_yardstick(paths: StudyPaths, data: ImageData, max_latent_dim: int) -> dict[int, float]:
    """Validation bits per dimension of pPCA, fitted on the training split, for each size up to `max_latent_dim`."""
    kept = _read(paths, data)
    if kept is not None and (not kept or max(kept) >= min(max_latent_dim, _largest_determined(data))):
        return kept
    scores = ppca.score(ppca.fit(data.train.images), data.validation.images, list(range(1, max_latent_dim + 1)))
    contents = {"digest": data.digest, "validation_bpd": {str(d): round(bpd, 6) for d, bpd in scores.items()}}
    write_text(paths.yardstick, json.dumps(contents))
    return scores


def _largest_determined(data: ImageData) -> int:
    return min(len(data.train), data.train.images[0].numel()) - 1


def _read(paths: StudyPaths, data: ImageData) -> dict[int, float] | None:
    try:
        contents = json.loads(paths.yardstick.read_text())
        scores = {int(d): float(bpd) for d, bpd in contents["validation_bpd"].items()}
    except (OSError, ValueError, KeyError, AttributeError):
        # Absent or torn: it only costs seconds to make it again.
        return None
    return scores if contents["digest"] == data.digest else None
