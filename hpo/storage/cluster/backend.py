"""The parts of a study that machines share."""

from hpo.config.call_arguments import Location
from hpo.storage.cluster.claims import ClusterClaims
from hpo.storage.cluster.connection import checked_url
from hpo.storage.cluster.database import ClusterDatabase
from hpo.storage.cluster.fenced_storage import FencedStorage
from hpo.storage.cluster.files import ClusterFiles
from hpo.storage.cluster.objects.object_store import Objects
from hpo.storage.interface import Backend
from hpo.storage.paths import StudyPaths


def cluster_backend(paths: StudyPaths, location: Location) -> Backend:
    """Connect to a database and an object store, each of which is checked before anything is written.

    Raises: StudyError, FilesError: one of them cannot be used.
    """
    url = checked_url(location.storage)
    objects = Objects(f"{location.files.rstrip('/')}/{paths.folder.name}")
    objects.check()
    storage = FencedStorage(url)
    return Backend(ClusterDatabase(paths, storage), ClusterClaims(storage), ClusterFiles(paths, storage, objects))
