"""Opening a study for reading: from its file and its database, without its images."""

import os
from dataclasses import dataclass
from pathlib import Path

from optuna.study import Study

from hpo.config.call_arguments import Location
from hpo.config.schema import SAMPLE_SUFFIX, StudyConfig, is_study_name
from hpo.config.study_file import NoStudyFile, load_config, own_file
from hpo.storage.backend import existing_study
from hpo.storage.database import StudyError, no_study
from hpo.storage.fingerprint import as_trained, check_unchanged, settings_fingerprint, stored_fingerprint
from hpo.storage.paths import RESULTS, StudyPaths, study_names

# User attribute of a study: its configuration, as JSON.
CONFIG = "config"


@dataclass(frozen=True)
class OpenStudy:
    """A study, its configuration as it ran, its paths, and the name by which `make tune STUDY=` knows it."""

    study: Study
    config: StudyConfig
    paths: StudyPaths
    config_name: str


def study_config(name_or_path: str, location: Location | None = None) -> StudyConfig:
    """Return the configuration of a study: from a file in this folder, its database, or a file that is shipped.

    Args:
        name_or_path: path of a study's file, name of one in `study_configs/`, or name of a study that has run.
        location: where machines share the study, if they do.

    Raises: ConfigError: there is neither such a file nor such a study, or the file has faults.
    """
    is_name = is_study_name(name_or_path)
    if is_name and own_file(name_or_path) is None and (stored := _stored_config(name_or_path, location)):
        return stored
    try:
        return load_config(name_or_path)
    except NoStudyFile as error:
        names = ", ".join(study_names()) if is_name else ""
        raise NoStudyFile(f"{error}; in {RESULTS}: {names}" if names else str(error)) from None


def _stored_config(name: str, location: Location | None) -> StudyConfig | None:
    """Return the configuration of the last search of a study; None if it has not run, or with an earlier version."""
    for candidate in (name, f"{name}{SAMPLE_SUFFIX}"):
        paths = StudyPaths.of(candidate, location)
        try:
            study = existing_study(candidate, paths)
        except StudyError:
            # Reported where the study is opened; --fresh moves it aside.
            if location:
                raise
            continue
        if study is not None and CONFIG in study.user_attrs:
            return StudyConfig.model_validate_json(study.user_attrs[CONFIG])
    return None


def remember_config(study: Study, config: StudyConfig) -> None:
    """Store the configuration that a search runs with, so that commands find the study by its name alone."""
    if config.data.root is not None:
        # From another folder, a relative path would lead elsewhere.
        root = Path(os.path.abspath(os.path.expanduser(config.data.root)))
        config = config.model_copy(update={"data": config.data.model_copy(update={"root": root})})
    stored = config.model_dump_json(exclude_unset=True)
    if study.user_attrs.get(CONFIG) != stored:
        study.set_user_attr(CONFIG, stored)


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
    config = study_config(config_name, location)
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
