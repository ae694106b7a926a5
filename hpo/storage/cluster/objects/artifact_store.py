"""Optuna's artifact store in an object store."""

import io
from dataclasses import dataclass
from typing import BinaryIO

from optuna.artifacts.exceptions import ArtifactNotFound

from hpo.storage.cluster.objects.object_store import Objects

# Folder of the artifacts below the study's URL.
ARTIFACTS = "artifacts"


@dataclass(frozen=True)
class ObjectArtifactStore:
    """Optuna's artifact store in an object store."""

    objects: Objects

    def open_reader(self, artifact_id: str) -> BinaryIO:
        """Open a file for reading. Raises: ArtifactNotFound: there is none of this name."""
        content = self.objects.get(f"{ARTIFACTS}/{artifact_id}")
        if content is None:
            raise ArtifactNotFound(f"{artifact_id}: there is no such artifact")
        return io.BytesIO(content)

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Write or replace a file."""
        self.objects.put(f"{ARTIFACTS}/{artifact_id}", content_body.read())

    def remove(self, artifact_id: str) -> None:
        """Remove a file."""
        self.objects.delete([f"{ARTIFACTS}/{artifact_id}"])
