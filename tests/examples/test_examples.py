"""The example script and the example notebook run from start to end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def notebook_code() -> str:
    """The notebook's code cells as one program."""
    cells = json.loads((EXAMPLES / "search_from_python.ipynb").read_text())["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def run(folder: Path, *arguments: str) -> str:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_script_and_notebook_run_and_the_notebook_continues_the_scripts_study(tmp_path: Path) -> None:
    for name in ("examples", "study_configs"):
        (tmp_path / name).symlink_to(ROOT / name)
    printed = run(tmp_path, "-m", "examples.search_from_python")
    assert "Best: trial" in printed and "Samples of the prior: (16, 32, 32, 3)" in printed
    weights = tmp_path / "results" / "tiny" / "best" / "model.pt"
    written = weights.stat().st_mtime_ns
    assert "TrialStarted" not in run(tmp_path, "-c", notebook_code())
    assert weights.stat().st_mtime_ns == written


def test_the_notebook_is_stored_without_outputs() -> None:
    cells = json.loads((EXAMPLES / "search_from_python.ipynb").read_text())["cells"]
    assert [cell.get("outputs", []) for cell in cells if cell["cell_type"] == "code" and cell["outputs"]] == []
