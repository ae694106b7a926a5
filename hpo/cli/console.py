"""Terminal output: one console for results, one for errors."""

from rich.console import Console

from model.printable import printable

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def print_lines(*lines: str) -> None:
    """Print each text as one line, without wrapping or markup."""
    for line in lines:
        console.print(printable(line, keep="\n"), markup=False)
