"""The example script and the example notebook run from start to end."""

import json
import shutil
from pathlib import Path

import pytest

from tests.tools import warm_process
from tests.tools.class_folders import write_class_folders

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


def notebook_code() -> str:
    """The notebook's code cells as one program."""
    cells = json.loads((EXAMPLES / "search_from_python.ipynb").read_text())["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def run(program: str | Path, folder: Path) -> str:
    """Run a module or script in the folder; return what it printed."""
    done = warm_process.run(program, (), folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_script_and_notebook_run_and_the_notebook_continues_the_scripts_study(tmp_path: Path) -> None:
    (tmp_path / "study_configs").symlink_to(ROOT / "study_configs")
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    # The examples' study with a tenth of its images: it takes a third of the time.
    write_class_folders(tmp_path / "images")
    study = tmp_path / "examples" / "tiny.yaml"
    study.write_text(study.read_text().replace("data: sample", "data: images"))
    printed = run("examples.search_from_python", tmp_path)
    assert "Best: trial" in printed and "Samples of the prior: (16, 32, 32, 3)" in printed
    weights = tmp_path / "results" / "tiny" / "best" / "model.pt"
    written = weights.stat().st_mtime_ns
    notebook = tmp_path / "notebook.py"
    notebook.write_text(notebook_code())
    assert "TrialStarted" not in run(notebook, tmp_path)
    assert weights.stat().st_mtime_ns == written


def test_the_notebook_is_stored_without_outputs() -> None:
    cells = json.loads((EXAMPLES / "search_from_python.ipynb").read_text())["cells"]
    assert [cell.get("outputs", []) for cell in cells if cell["cell_type"] == "code" and cell["outputs"]] == []
