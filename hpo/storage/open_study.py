"""Opening a study for reading: from its file and its database, without its images."""

from dataclasses import dataclass

from optuna.study import Study

from hpo.config.schema import StudyConfig
from hpo.config.study_file import find_config, read_config
from hpo.storage.database import find_study
from hpo.storage.fingerprint import as_trained, check_unchanged, settings_fingerprint, stored_fingerprint
from hpo.storage.paths import StudyPaths


@dataclass(frozen=True)
class OpenStudy:
    """A study, its configuration as it ran, its paths, and the name by which `make tune STUDY=` knows it."""

    study: Study
    config: StudyConfig
    paths: StudyPaths
    config_name: str


def open_study(config_name: str) -> OpenStudy:
    """Open the study of a file or name, or the study of the bundled sample that was run in its place.

    Args:
        config_name: name of a study in `study_configs/` (`quick`), or path of a YAML file.

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
    paths, study = find_study(config.name, config_name)
    config = as_trained(study, config)
    images = {key: value for key, value in stored_fingerprint(study).items() if key.startswith("data.")}
    check_unchanged(study, images | settings_fingerprint(config), paths)
    return OpenStudy(study, config_as_run(config, study), paths, config_name)


def config_as_run(config: StudyConfig, study: Study) -> StudyConfig:
    """Return the configuration with the study's actual name and images: it may have run on the bundled sample."""
    data = config.data.model_copy(update={"source": study.user_attrs["data"]["source"]})
    return config.model_copy(update={"name": study.study_name, "data": data})
