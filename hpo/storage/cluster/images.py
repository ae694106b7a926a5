"""Images of a study that machines share: one file by its digest, which every machine keeps."""

from pathlib import Path

from hpo.storage.backend import backend_of
from hpo.storage.paths import StudyPaths
from model.data.image_archive import read_archive, write_archive
from model.data.images import ImageData
from model.errors import DataError

# Of a digest, as many characters as a study's fingerprint has.
_N_CHARACTERS = 16


def share_images(paths: StudyPaths, data: ImageData) -> None:
    """Let other machines have the images of a study, unless they are shared already."""
    path, files = _path(paths, data.digest), backend_of(paths).files
    if files.is_shared(path):
        return
    if not path.exists():
        write_archive(path, data)
    files.share(path)


def fetch_images(paths: StudyPaths, digest: str) -> ImageData:
    """Load the images of this digest, as `share_images` shared them; they are kept on this machine.

    Raises: DataError: nobody shares them, or they are damaged.
    """
    path = _path(paths, digest)
    for _ in range(2):
        backend_of(paths).files.fetch(path)
        if not path.exists():
            raise DataError(f"{paths.address}: its images are missing; run tune again where they are")
        try:
            data = read_archive(path)
        except DataError:
            data = None
        if data is not None and data.digest.startswith(digest[:_N_CHARACTERS]):
            return data
        # A kept file may be damaged; what is fetched again is not.
        path.unlink(missing_ok=True)
    raise DataError(f"{paths.address}: its images are damaged; run tune again where they are")


def _path(paths: StudyPaths, digest: str) -> Path:
    return paths.all_scratch / "images" / f"{digest[:_N_CHARACTERS]}.npz"
