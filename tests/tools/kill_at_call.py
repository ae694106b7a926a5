"""Command line that kills its own process before or after the n-th call of a function.

`kill_at_call.py before|after FUNCTION N ARGUMENT ...`, FUNCTION is the dotted name by which it is looked up.
"""

import functools
import os
import pkgutil
import signal
import sys
from collections.abc import Callable
from typing import Any


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killing(function: Callable[..., Any], when: str, n_calls: int) -> Callable[..., Any]:
    """Wrap a function so that its n-th call kills this process."""
    calls = iter(range(1, n_calls + 1))

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        is_last = next(calls) == n_calls
        if is_last and when == "before":
            die()
        result = function(*args, **kwargs)
        if is_last:
            die()
        return result

    return call


def main() -> None:
    when, dotted, n_calls, *arguments = sys.argv[1:]
    owner_name, _, name = dotted.rpartition(".")
    # The command line imports these modules late; they must be imported before they are patched.
    __import__("hpo.workers.tuning_session"), __import__("hpo.runs.retrain"), __import__("hpo.workers.worker_pool")
    owner = pkgutil.resolve_name(owner_name)
    setattr(owner, name, killing(getattr(owner, name), when, int(n_calls)))
    from hpo.cli.app import app

    app(arguments)


if __name__ == "__main__":
    main()
