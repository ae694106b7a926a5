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


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["script", "notebook"])
def test_the_example_runs_and_leaves_a_retrained_model(kind: str, tmp_path: Path) -> None:
    for name in ("examples", "study_configs"):
        (tmp_path / name).symlink_to(ROOT / name)
    arguments = ["-m", "examples.search_from_python"] if kind == "script" else ["-c", notebook_code()]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "results" / "tiny" / "best" / "model.pt").exists()
    if kind == "script":
        assert "Best: trial" in done.stdout and "Samples of the prior: (16, 32, 32, 3)" in done.stdout


def test_the_notebook_is_stored_without_outputs() -> None:
    cells = json.loads((EXAMPLES / "search_from_python.ipynb").read_text())["cells"]
    assert [cell.get("outputs", []) for cell in cells if cell["cell_type"] == "code" and cell["outputs"]] == []
