"""The house as it is drawn: imports point downward only, and each privilege belongs to one module."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Run by the system's Python before there is an environment: it can import nothing of the project, and must print.
STANDALONE = "hpo.setup_venv"
# From the ground up; a module imports from its own layer and those below. A new module takes its place here.
HPO_LAYERS = (
    {"best", "config", "entries", "config_file", "paths", "database", "interrupt", "provenance", "lock", "run_record"}
    | {"embedded", "markup"},
    {"configurations"},
    {"halving", "learning_curves", "curve_search"},
    {"search_space", "figures", "source", "warm_start", "sampler", "study", "forecast", "yardstick", "metrics"}
    | {"latent_space", "at_hand", "next_trial", "checkpoints"},
    {"take_up", "other_study"}
    | {"artifacts", "trial_table", "film", "trial_pictures", "notes", "trial_end", "objective"}
    | {"suite", "page_data", "page", "run", "answer", "trial_frames", "front", "export"},
    {"workers", "tune", "retrain", "display", "summary", "status", "dashboard", "outcome", "single_run", "redraw"}
    | {"study_page", "gallery", "report_data", "report_figures", "report"},
    {"crew_member"},
    {"crew"},
    {"terminal"},
    {"commands", "showcase"},
    {"__main__"},
)
MODEL_LAYERS = (
    {"errors", "atomic", "torchvision_cpu", "convolution", "linear_path", "vae", "elbo", "config", "pack"},
    {"sample", "folder", "data", "runtime", "stream"},
    {"evaluate", "ppca", "untrained"},
    {"train", "checkpoint"},
)


def name_of(path: Path) -> str:
    """`hpo/figures/vae.py` -> `hpo.figures.vae`; `hpo/__init__.py` -> `hpo`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {name_of(path): path.read_text() for package in ("model", "hpo") for path in (ROOT / package).rglob("*.py")}
OURS = sorted(SOURCES.keys() - {STANDALONE})


def imports_of(source: str) -> set[str]:
    """Everything imported anywhere in it, by full dotted name: `from a import b` is `a.b`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def modules_imported(source: str) -> set[str]:
    """Those of the project's own modules that it imports."""
    names = imports_of(source)
    return {name if name in SOURCES else name.rpartition(".")[0] for name in names} & SOURCES.keys()


def packages_imported(module: str) -> set[str]:
    return {name.partition(".")[0] for name in imports_of(SOURCES[module])}


def below(package: str) -> list[str]:
    return [module for module in OURS if module == package or module.startswith(f"{package}.")]


def layer_of(module: str) -> tuple[str, int]:
    """The package a module belongs to and its layer there; a package's own `__init__` lies below all."""
    package, _, rest = module.partition(".")
    layers = HPO_LAYERS if package == "hpo" else MODEL_LAYERS
    if not rest:
        return package, -1
    (layer,) = (index for index, names in enumerate(layers) if rest.partition(".")[0] in names)
    return package, layer


def calls(source: str) -> Iterator[tuple[str, str]]:
    """Every call as (what stands before the last dot, the name called)."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            before, _, name = ast.unparse(node.func).rpartition(".")
            yield before, name


def texts(source: str) -> Iterator[str]:
    """Every string but docstrings, those inside f-strings included."""
    tree = ast.parse(source)
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def test_the_reader_sees_imports_wherever_they_stand() -> None:
    source = "import a.b as c\ndef f():\n    from hpo import study\n    from hpo.paths import RunPaths, StudyPaths"
    assert imports_of(source) == {"a.b", "hpo.study", "hpo.paths.RunPaths", "hpo.paths.StudyPaths"}
    assert modules_imported(source) == {"hpo.study", "hpo.paths"}


def test_every_module_has_its_place_in_exactly_one_layer() -> None:
    placed = [f"hpo.{name}" for names in HPO_LAYERS for name in names]
    placed += [f"model.{name}" for names in MODEL_LAYERS for name in names]
    there = {".".join(module.split(".")[:2]) for module in OURS} - {"hpo", "model"}
    assert sorted(placed) == sorted(there)


@pytest.mark.parametrize("module", OURS)
def test_imports_point_downward(module: str) -> None:
    package, layer = layer_of(module)
    above = [
        imported
        for imported in modules_imported(SOURCES[module])
        if layer_of(imported)[0] == package and layer_of(imported)[1] > layer
    ]
    assert above == []


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = {module: modules_imported(source) - {module} for module, source in SOURCES.items()}
    while leaves := {module for module, imported in graph.items() if not imported}:
        graph = {module: imported - leaves for module, imported in graph.items() if module not in leaves}
    assert sorted(graph) == []


@pytest.mark.parametrize("module", below("model"))
def test_the_model_knows_no_study_plot_or_terminal(module: str) -> None:
    foreign = {"hpo", "optuna", "yaml", "matplotlib", "rich", "typer", "imageio", "imageio_ffmpeg", "plotly", "pandas"}
    assert packages_imported(module) & foreign == set()


@pytest.mark.parametrize("module", below("hpo.figures"))
def test_figures_are_handed_arrays_and_open_nothing(module: str) -> None:
    assert packages_imported(module) & {"torch", "optuna", "sqlalchemy", "sqlite3", "yaml"} == set()
    ours = {name for name in imports_of(SOURCES[module]) if name.partition(".")[0] in ("hpo", "model")}
    assert {name for name in ours if not name.startswith(("hpo.best.", "hpo.figures.", "model.atomic."))} == set()


def test_nothing_imports_the_command_line() -> None:
    assert [module for module in SOURCES if "hpo.__main__" in modules_imported(SOURCES[module])] == []


def test_the_setup_script_imports_nothing_but_the_standard_library() -> None:
    assert packages_imported(STANDALONE) <= sys.stdlib_module_names


def prints_or_exits(before: str, name: str) -> bool:
    prints = (before, name) in {("", "print"), ("builtins", "print"), ("typer", "echo"), ("typer", "secho")}
    writes = before.removeprefix("sys.") in ("stdout", "stderr", "stdout.buffer", "stderr.buffer")
    exits = name in ("exit", "_exit", "Exit", "Abort", "SystemExit")
    return prints or writes or exits or name == "Console"


def test_only_the_command_line_prints_exits_or_opens_a_console() -> None:
    guilty = {module for module in OURS if any(prints_or_exits(*call) for call in calls(SOURCES[module]))}
    assert guilty == {"hpo.commands.search", "hpo.terminal"}


@pytest.mark.parametrize("line", ["print('x')", "sys.exit(2)", "raise typer.Exit(1)", "raise SystemExit(1)", "exit()"])
def test_the_reader_sees_what_prints_or_exits(line: str) -> None:
    assert any(prints_or_exits(*call) for call in calls(f"def f():\n    {line}"))


def test_only_the_search_space_asks_a_trial_for_values() -> None:
    guilty = {module for module in OURS if any(name.startswith("suggest_") for _, name in calls(SOURCES[module]))}
    assert guilty == {"hpo.search_space"}


def result_files() -> set[str]:
    """What paths.py names in full, not only in part as those with a number in them."""
    words = set(texts(SOURCES["hpo.paths"]))
    return {text for text in words if Path(text).suffix or ("_" in text and not text.endswith("_"))}


def test_paths_names_the_files_that_a_study_leaves() -> None:
    promised = {"study.db", "metrics.json", "metrics.csv", "model.pt", "config.yaml", "loss_curves.png"}
    promised |= {"reconstruction_progress.gif", "reconstruction_progress.mp4", "reconstruction_frames"}
    assert promised <= result_files()


@pytest.mark.parametrize("module", [module for module in OURS if module != "hpo.paths"])
def test_no_other_module_names_a_result_file(module: str) -> None:
    assert {text for text in texts(SOURCES[module]) if any(name in text for name in result_files())} == set()


def test_the_reader_sees_a_file_name_inside_a_formatted_string() -> None:
    assert any("study.db" in text for text in texts("'''study.md'''\nx = f'results/{name}/study.db'"))
    assert not any("study.md" in text for text in texts("'''study.md'''\nx = 1"))
