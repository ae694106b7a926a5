"""Joining a study that another machine has created: its images are fetched, and this machine must be of its kind."""

import json

from optuna.study import Study

from hpo.config.call_arguments import Location
from hpo.config.prepared_study import PreparedStudy
from hpo.config.schema import StudyConfig
from hpo.storage import provenance
from hpo.storage.cluster.images import fetch_images
from hpo.storage.database import StudyError
from hpo.storage.fingerprint import stored_fingerprint
from hpo.storage.open_study import find_study
from hpo.storage.paths import StudyPaths
from model.device import resolve

# Attribute of a study: the kind of device that its trials are trained on.
DEVICE_KIND = "device_kind"
# And the version of the program that created it.
PROGRAM_VERSION = "program_version"


def prepare_joining(config: StudyConfig, config_name: str, device: str | None, location: Location) -> PreparedStudy:
    """Find the device, and fetch the images of a study that exists; see `hpo.config.prepared_study.prepare_study`.

    Raises: StudyError: there is no such study. DeviceError, DataError: the device or the images are not available.
    """
    training = config.training
    runtime = resolve(device or training.device, training.precision, training.compile)
    paths, study = find_study(config.name, config_name, location)
    data = fetch_images(paths, str(json.loads(stored_fingerprint(study)["data.digest"])))
    named = config.data.model_copy(update={"source": data.source})
    config = config.model_copy(update={"name": study.study_name, "data": named})
    return PreparedStudy(config, runtime, data.to(runtime.device), (), location)


def check_same_kind(study: Study, prepared: PreparedStudy, paths: StudyPaths) -> None:
    """Check that this machine computes as the one that created the study; otherwise trials would not compare.

    Raises: StudyError: device kind, number format or the version of this project differ.
    """
    facts = (
        ("device", study.user_attrs.get(DEVICE_KIND), prepared.runtime.device.type),
        ("precision", study.user_attrs.get("precision"), prepared.runtime.precision),
        ("version of this project", _version_of(study), provenance.program_version()),
    )
    # A study of an earlier version does not tell all of these, and a copy without git not its version.
    known = [(name, theirs, ours) for name, theirs, ours in facts if theirs and ours]
    differences = [f"its {name} is {theirs}, here it is {ours}" for name, theirs, ours in known if theirs != ours]
    if differences:
        raise StudyError(
            f"{paths.address}: this machine cannot join it: {'; '.join(differences)}. Make them equal, or give a new "
            "study another name"
        )


def _version_of(study: Study) -> str | None:
    # A study of an earlier version has the commit alone.
    return study.user_attrs.get(PROGRAM_VERSION) or study.user_attrs.get("git_commit")
