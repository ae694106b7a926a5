"""Opening a study for reading: from its file and its database, without its images."""

from dataclasses import dataclass

from optuna.study import Study

from hpo.config.call_arguments import Location
from hpo.config.schema import SAMPLE_SUFFIX, StudyConfig
from hpo.config.study_file import find_config, read_config
from hpo.storage.backend import existing_study
from hpo.storage.database import no_study
from hpo.storage.fingerprint import as_trained, check_unchanged, settings_fingerprint, stored_fingerprint
from hpo.storage.paths import StudyPaths


@dataclass(frozen=True)
class OpenStudy:
    """A study, its configuration as it ran, its paths, and the name by which `make tune STUDY=` knows it."""

    study: Study
    config: StudyConfig
    paths: StudyPaths
    config_name: str


def open_study(config_name: str, location: Location | None = None) -> OpenStudy:
    """Open the study of a file or name, or the study of the bundled sample that was run in its place.

    Args:
        config_name: name of a study in `study_configs/` (`quick`), or path of a YAML file.
        location: where machines share the study, if they do.

    Returns: the study, for `study_results`, `trials_frame` and `epochs_frame`. Nothing is trained or written.

    Raises:
        ConfigError: there is no such file, or it has faults.
        StudyError: the study does not exist, is damaged, or has different settings.

    Example:
        >>> study = hpo.open_study("quick")
        >>> len(hpo.trials_frame(study))
        4
    """
    config = read_config(find_config(config_name))
    paths, study = find_study(config.name, config_name, location)
    config = as_trained(study, config)
    images = {key: value for key, value in stored_fingerprint(study).items() if key.startswith("data.")}
    check_unchanged(study, images | settings_fingerprint(config), paths)
    return OpenStudy(study, config_as_run(config, study), paths, config_name)


def find_study(name: str, config_name: str, location: Location | None = None) -> tuple[StudyPaths, Study]:
    """Open a study, or the study of the bundled sample that was run in its place.

    Raises: StudyError: neither exists.
    """
    for candidate in (name, f"{name}{SAMPLE_SUFFIX}"):
        paths = StudyPaths.of(candidate, location)
        study = existing_study(candidate, paths)
        if study is not None:
            return paths, study
    raise no_study(StudyPaths.of(name, location), config_name)


def config_as_run(config: StudyConfig, study: Study) -> StudyConfig:
    """Return the configuration with the study's actual name and images: it may have run on the bundled sample."""
    data = config.data.model_copy(update={"source": study.user_attrs["data"]["source"]})
    return config.model_copy(update={"name": study.study_name, "data": data})
