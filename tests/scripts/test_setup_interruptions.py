"""The set-up of .venv when it is interrupted or killed, or when two calls run at once."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tools.checkout import Checkout


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


def wait_to_be_released(checkout: Checkout) -> Callable[[], None]:
    """Let the installer write a file `half-written` and wait. Return the function that lets it end."""
    started, released = checkout.stubs / "started", checkout.stubs / "released"
    checkout.installer_does(
        f"touch .venv/half-written '{started}'; while [ ! -e '{released}' ]; do sleep 0.05; done; rm .venv/half-written"
    )
    return released.touch


def read_until(process: subprocess.Popen[str], text: str) -> None:
    """Read the errors of the process up to a line with this text."""
    assert process.stderr is not None
    assert any(text in line for line in process.stderr), f"not printed: {text}"


def test_ctrl_c_ends_the_installation_and_the_next_call_starts_over(checkout: Checkout) -> None:
    # A process that a shell has started in the background ignores Ctrl-C, and so do its children.
    checkout.stub_system_python("import signal; signal.signal(signal.SIGINT, signal.default_int_handler)")
    wait_to_be_released(checkout)
    with checkout.start("tune") as interrupted:
        wait_for(checkout.stubs / "started")
        os.killpg(interrupted.pid, signal.SIGINT)  # Ctrl-C does the same.
        _, errors = interrupted.communicate(timeout=30)
    assert interrupted.returncode != 0
    assert "interrupted; the same command starts it again" in errors
    assert "Traceback" not in errors

    checkout.installer_does("")
    checkout.calls()
    assert checkout.make("tune").returncode == 0
    assert checkout.calls() == ["venv", "requirements.txt"]
    assert not (checkout.root / ".venv/half-written").exists()


def test_a_second_call_waits_for_the_first_and_installs_nothing(checkout: Checkout) -> None:
    release = wait_to_be_released(checkout)
    with checkout.start("tune") as first:
        wait_for(checkout.stubs / "started")
        with checkout.start("tune") as second:
            read_until(second, "waiting for it")
            release()
            assert second.wait(timeout=30) == first.wait(timeout=30) == 0
    assert checkout.calls() == ["venv", "requirements.txt"]


def test_after_a_kill_the_next_call_waits_for_the_installer_and_starts_over(checkout: Checkout) -> None:
    checkout.stub_system_python(f'open("{checkout.stubs}/pid", "w").write(str(os.getpid()))')
    release = wait_to_be_released(checkout)
    with checkout.start("tune") as killed:
        wait_for(checkout.stubs / "started")
        os.kill(int((checkout.stubs / "pid").read_text()), signal.SIGKILL)
        assert killed.wait(timeout=30) != 0
        with checkout.start("tune") as second:
            read_until(second, "waiting for it")
            assert checkout.calls() == ["venv", "requirements.txt"]
            release()
            assert second.wait(timeout=30) == 0
    assert checkout.calls() == ["venv", "requirements.txt"]
