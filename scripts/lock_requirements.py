"""Write the requirements*.txt files, which pin everything, from the direct requirements in the *.in files.

Usage: .venv/bin/python -m scripts.lock_requirements [--upgrade | --upgrade-package NAME]

Pins that still satisfy the direct requirements are kept, unless an option upgrades them.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEAD = "# Every version is pinned. Written from {source} by: .venv/bin/python -m scripts.lock_requirements\n"
CUDA_HEAD = "# These are constraints: PyTorch's CUDA build takes them, its CPU build installs none of them.\n"
CUDA = re.compile("(cuda-|nvidia-|triton==)")


def compile_pins(source: str, kept: list[str], options: list[str]) -> list[str]:
    """Return a pin for each package that the source needs on any platform, one a line; prefer the pins to be kept."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--universal", "--python-version", "3.11"]
    command += ["--fork-strategy", "fewest", "--no-annotate", "--no-header", "--quiet", *options]
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "pins.txt")
        output.write_text("\n".join(kept))
        subprocess.run([*command, "--output-file", str(output), source], cwd=ROOT, check=True)
        # pyproject.toml excludes Windows, and uv repeats that in every line.
        return output.read_text().replace(" ; sys_platform != 'win32'", "").splitlines()


def read_pins(name: str) -> list[str]:
    """Return the pins in the file; none if there is no file."""
    path = ROOT / name
    return [line for line in path.read_text().splitlines() if "==" in line] if path.exists() else []


def write_pins(name: str, head: str, pins: list[str]) -> None:
    """Write the head and the pins."""
    (ROOT / name).write_text(head + "".join(f"{pin}\n" for pin in pins))


def main(options: list[str]) -> None:
    """Compile the *.in files; the options go to `uv pip compile`."""
    pins = compile_pins("requirements.in", read_pins("requirements.txt") + read_pins("requirements-cuda.txt"), options)
    head = HEAD.format(source="requirements.in")
    write_pins("requirements-cuda.txt", head + CUDA_HEAD, [pin for pin in pins if CUDA.match(pin)])
    write_pins("requirements.txt", head + "-c requirements-cuda.txt\n", [pin for pin in pins if not CUDA.match(pin)])
    dev = _write("dev", pins, options)
    # Each may be installed beside the others.
    cluster = _write("cluster", pins, options, kept=dev)
    share = _write("share", [*pins, *dev], options, kept=cluster)
    track = _write("track", [*pins, *dev], options, kept=[*cluster, *share])
    _write("peers", [*pins, *dev], options, kept=[*cluster, *share, *track])


def _write(kind: str, pins: list[str], options: list[str], kept: Sequence[str] = ()) -> list[str]:
    """Write the pins of requirements-<kind>.in that are not among these; prefer those to be kept. Return them."""
    source, target = f"requirements-{kind}.in", f"requirements-{kind}.txt"
    pinned = {pin.partition("==")[0] for pin in pins}
    compiled = compile_pins(source, [*pins, *kept, *read_pins(target)], options)
    more = sorted(pin for pin in compiled if pin.partition("==")[0] not in pinned)
    write_pins(target, HEAD.format(source=source) + "-r requirements.txt\n", more)
    return more


if __name__ == "__main__":
    main(sys.argv[1:])
