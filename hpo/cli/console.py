"""The terminal, the only place that prints or exits: how work is followed, and how what goes wrong is told."""

from rich.console import Console

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def say(*lines: str) -> None:
    """Print each as one line."""
    for line in lines:
        console.print(line, markup=False)
