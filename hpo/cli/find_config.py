"""Configuration of the study that a command names."""

from hpo.config.call_arguments import Location
from hpo.config.schema import StudyConfig
from hpo.config.study_file import load_config, own_file


def config_of(name_or_path: str, location: Location | None) -> StudyConfig:
    """Return the configuration of a study by its file, or by its name if it has run.

    Raises: ConfigError: there is neither such a file nor such a study, or the file has faults.
    """
    if own_file(name_or_path):
        return load_config(name_or_path)
    # Imported late: it needs Optuna, for which a faulty file must not wait.
    from hpo.storage.open_study import study_config

    return study_config(name_or_path, location)
