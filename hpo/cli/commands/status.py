"""Command `status`: print the state of a study."""

from hpo.cli.console import print_lines
from hpo.cli.exit_codes import reports_errors
from hpo.cli.options import Config
from hpo.config.study_file import load_config


@reports_errors("Stopped.")
def status(config: Config) -> None:
    """Print the state of a study.

    It shows trials, the best trial, running workers, disk space and what needs attention. The command changes nothing
    and can be run at any time, also while the study runs.
    """
    study_config = load_config(config)
    from hpo.analysis.status import status_lines, status_of
    from hpo.storage.database import find_study

    paths, study = find_study(study_config.name, config)
    print_lines(*status_lines(status_of(study, study_config, paths), study_config, config))
