"""What a study looks like in the terminal while it runs: a live table, or plain lines where there is no terminal."""

from typing import Any


def format_value(value: Any) -> str:
    """A hyperparameter's value, short."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
