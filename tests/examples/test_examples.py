"""The example script and the example notebook run from start to end."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.tools import warm_process
from tests.tools.class_folders import write_class_folders

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


NOTEBOOK = EXAMPLES / "quickstart.ipynb"
IS_INSTALLED = find_spec("nbclient") is not None and find_spec("ipykernel") is not None


def run(program: str | Path, folder: Path) -> str:
    """Run a module or script in the folder; return what it printed."""
    done = warm_process.run(program, (), folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.long
def test_the_script_runs(tmp_path: Path) -> None:
    (tmp_path / "study_configs").symlink_to(ROOT / "study_configs")
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    # The example's study with a tenth of its images: it takes a third of the time.
    write_class_folders(tmp_path / "images")
    study = tmp_path / "examples" / "tiny.yaml"
    study.write_text(study.read_text().replace("data: sample", "data: images"))
    printed = run("examples.search_from_python", tmp_path)
    assert "Best: trial" in printed and "Samples of the prior: (16, 32, 32, 3)" in printed


@pytest.mark.long
@pytest.mark.skipif(not IS_INSTALLED, reason="needs the packages of requirements-peers.txt")
def test_the_notebook_searches_retrains_and_shows_all_pictures_in_jupyter(tmp_path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (parameters,) = (cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    assert 'SOURCE = ".."' in parameters.source and "MINUTES = 4.0" in parameters.source
    # Its first seconds, and a retraining of one epoch.
    parameters.source += f"\nSOURCE, MINUTES, EPOCHS = {str(ROOT)!r}, 0.15, 1"
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [kind for cell in notebook.cells for output in cell.get("outputs", []) for kind in output.get("data", {})]
    assert shown.count("image/png") == 7 and shown.count("image/gif") == 1
    assert "application/vnd.plotly.v1+json" in shown
    assert (tmp_path / "results" / "quick" / "best" / "metrics.json").exists()


def test_the_notebook_is_stored_without_outputs() -> None:
    cells = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    assert len(cells) > 5 and [cell["outputs"] for cell in cells if cell["outputs"]] == []
