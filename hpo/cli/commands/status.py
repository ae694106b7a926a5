"""Commands that show a study, and what it holds that can go."""

from hpo.cli.console import say
from hpo.cli.exit_codes import reports_errors
from hpo.cli.options import Config
from hpo.config.study_file import find_config, read_config


@reports_errors("Stopped.")
def status(config: Config) -> None:
    """Tell how a study stands: trials, best so far, workers alive, disk used, and whether anything needs attention.

    Changes nothing, and may be asked at any time, also while the study is running.
    """
    study_config = read_config(find_config(config))
    from hpo.analysis.status import described, status_of
    from hpo.storage.database import find_study

    paths, study = find_study(study_config.name, config)
    say(*described(status_of(study, study_config, paths), study_config, config))
