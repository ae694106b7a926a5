"""A study opened to be looked at: from its file and its database alone, without its images."""

from dataclasses import dataclass

from optuna.study import Study

from hpo.config.schema import StudyConfig
from hpo.config.study_file import find_config, read_config
from hpo.storage.database import find_study
from hpo.storage.fingerprint import check_unchanged, settings_fingerprint
from hpo.storage.paths import StudyPaths


@dataclass(frozen=True)
class OpenStudy:
    """A study, its file as it ran, its files, and what `make tune STUDY=` calls it."""

    study: Study
    config: StudyConfig
    paths: StudyPaths
    config_name: str


def open_study(config_name: str) -> OpenStudy:
    """Open the study of a file or name, or the sample's that stands in for it.

    Raises: ConfigError: there is no such file, or it is faulty; StudyError: the study was not begun, is damaged, or
    was begun otherwise.
    """
    config = read_config(find_config(config_name))
    paths, study = find_study(config.name, config_name)
    begun: dict[str, str] = study.user_attrs["identity"]
    of_the_images = {key: value for key, value in begun.items() if key.startswith("data.")}
    check_unchanged(study, of_the_images | settings_fingerprint(config), paths)
    return OpenStudy(study, config_as_run(config, study), paths, config_name)


def config_as_run(config: StudyConfig, study: Study) -> StudyConfig:
    """The study's file with its name and images as they were in the end: the sample may have stood in."""
    data = config.data.model_copy(update={"source": study.user_attrs["data"]["source"]})
    return config.model_copy(update={"name": study.study_name, "data": data})
