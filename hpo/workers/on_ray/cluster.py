"""Connection of this process to a Ray cluster."""

import logging
import socket
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hpo.config.call_arguments import RayPlacement
from hpo.storage.cluster.connection import INSTALL
from model.errors import UserError

_ROOT = Path(__file__).resolve().parents[3]
_CONNECTION_S = 10.0


class RayError(UserError):
    """The Ray cluster cannot be used."""


def connect(placement: RayPlacement) -> None:
    """Connect this process to a Ray cluster.

    Raises: RayError: Ray is not installed, or there is no such cluster.
    """
    if find_spec("ray") is None:
        raise RayError(f"--ray {placement.address}: Ray is not installed; {INSTALL}")
    # Ray has no types of use.
    ray: Any = import_module("ray")
    # Packages of this checkout: nodes need no copy of it.
    modules = {"py_modules": [str(_ROOT / "hpo"), str(_ROOT / "model")]}
    try:
        host, _, port = placement.address.rpartition(":")
        if host:
            # Ray itself would try for minutes.
            socket.create_connection((host, int(port)), timeout=_CONNECTION_S).close()
        ray.init(placement.address, log_to_driver=False, logging_level=logging.ERROR, runtime_env=modules)
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RayError(f"--ray {placement.address}: no Ray cluster was found there ({reason})") from error
