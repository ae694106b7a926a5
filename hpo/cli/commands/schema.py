"""Command `schema`: print the JSON schema of a study file."""

import json

from hpo.cli.console import print_lines
from hpo.cli.exit_codes import reports_errors
from hpo.config.json_schema import study_file_schema


@reports_errors("Stopped.")
def schema() -> None:
    """Print the JSON schema of a study file, for editors.

    With it, editors complete the keys of a study file, show their meaning and mark faults.
    """
    print_lines(json.dumps(study_file_schema(), indent=2))
