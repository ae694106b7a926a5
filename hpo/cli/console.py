"""Terminal output: one console for results, one for errors."""

from rich.console import Console

from hpo.cli.json_lines.events import Notice
from hpo.cli.json_lines.output import emit, is_json
from model.printable import printable

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)
# Answer of `tune`, `best-retrain` and `train` to the first Ctrl-C.
STOPPING = "Stopping after the current epoch; press Ctrl-C again to stop at once."


def print_lines(*lines: str) -> None:
    """Print each text as one line, without wrapping or markup; to standard error where JSON is printed."""
    for line in lines:
        (errors if is_json() else console).print(printable(line, keep="\n"), markup=False)


def print_notices(*lines: str) -> None:
    """Print each text as `print_lines` does, or as an event where JSON is printed."""
    if not is_json():
        print_lines(*lines)
    for line in lines:
        emit(Notice(line))
