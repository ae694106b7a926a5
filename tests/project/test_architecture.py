"""The house as it is drawn: imports point downward only, and each privilege belongs to one module."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# From the bottom up: a package imports from itself and from packages of earlier rows, never from one of its own row.
LAYERS = (
    {"model.errors", "model.config", "model.atomic_files", "model.printable"},
    {"model.data", "model.device", "model.network"},
    {"model.scoring"},
    {"model.training"},
    {"model.picture_inputs", "model.trained_model"},
    {"hpo.optunahub"},
    {"hpo.config", "hpo.optuna_logging", "hpo.user_commands"},
    {"hpo.search"},
    {"hpo.storage", "hpo.figures"},
    {"hpo.analysis"},
    {"hpo.dashboard", "hpo.report"},
    {"hpo.workers", "hpo.runs"},
    {"hpo.api"},
    {"hpo"},
    {"hpo.cli"},
    {"hpo.__main__"},
)


def name_of(path: Path) -> str:
    """`hpo/figures/vae.py` -> `hpo.figures.vae`; `hpo/__init__.py` -> `hpo`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


# For other programs, which load it under another name: it imports its own modules relatively.
HUB = "hpo.optunahub.samplers.learning_curves"
# An example that is run by itself.
EXAMPLE = f"{HUB}.example"


def absolute(module: str, source: str) -> str:
    """Return the source of a module with absolute imports in place of relative ones."""
    return re.sub(r"^( *from )\.(?=\w+ import)", rf"\1{HUB}.", source, flags=re.M) if module.startswith(HUB) else source


SOURCES = {
    name: absolute(name, path.read_text())
    for package in ("model", "hpo")
    for path in (ROOT / package).rglob("*.py")
    if (name := name_of(path)) != EXAMPLE
}
OURS = sorted(SOURCES)
SETUP_SCRIPT = (ROOT / "scripts" / "setup_venv.py").read_text()


@cache
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


@cache
def modules_imported(source: str) -> set[str]:
    """Those of the project's own modules that it imports."""
    names = imports_of(source)
    return {name if name in SOURCES else name.rpartition(".")[0] for name in names} & SOURCES.keys()


def packages_imported(module: str) -> set[str]:
    return {name.partition(".")[0] for name in imports_of(SOURCES[module])}


def below(package: str) -> list[str]:
    return [module for module in OURS if module == package or module.startswith(f"{package}.")]


def package_of(module: str) -> str:
    """`hpo.cli.commands.tune` -> `hpo.cli`; a module in no package stands for itself."""
    return ".".join(module.split(".")[:2])


def layer_of(module: str) -> int:
    """The row of LAYERS of a module's package; `hpo` and `model` themselves are the API and stand above all."""
    rows = [index for index, packages in enumerate(LAYERS) if package_of(module) in packages]
    return rows[0] if rows else len(LAYERS)


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


def test_imports_are_found_wherever_they_stand() -> None:
    source = (
        "import a.b as c\ndef f():\n    from hpo import storage\n    from hpo.storage.paths import RunPaths, StudyPaths"
    )
    paths = {"hpo.storage.paths.RunPaths", "hpo.storage.paths.StudyPaths"}
    assert imports_of(source) == {"a.b", "hpo.storage"} | paths
    assert modules_imported(source) == {"hpo.storage", "hpo.storage.paths"}


def test_every_package_stands_in_exactly_one_layer() -> None:
    placed = sorted(package for packages in LAYERS for package in packages)
    assert placed == sorted({package_of(module) for module in OURS} - {"model"})


@pytest.mark.parametrize("module", OURS)
def test_imports_point_downward(module: str) -> None:
    elsewhere = {other for other in modules_imported(SOURCES[module]) if package_of(other) != package_of(module)}
    assert {other for other in elsewhere if layer_of(other) >= layer_of(module)} == set()


def test_no_folder_has_more_than_about_twelve_modules() -> None:
    folders = [path.parent for package in ("model", "hpo") for path in (ROOT / package).rglob("*.py")]
    assert {str(folder): folders.count(folder) for folder in folders if folders.count(folder) > 14} == {}


def test_no_module_imports_itself_by_a_detour() -> None:
    graph = {module: modules_imported(source) - {module} for module, source in SOURCES.items()}
    while leaves := {module for module, imported in graph.items() if not imported}:
        graph = {module: imported - leaves for module, imported in graph.items() if module not in leaves}
    assert sorted(graph) == []


@pytest.mark.parametrize("module", below("model"))
def test_the_model_knows_no_study_plot_or_terminal(module: str) -> None:
    foreign = {"hpo", "optuna", "yaml", "matplotlib", "rich", "typer", "imageio", "imageio_ffmpeg", "plotly", "pandas"}
    assert packages_imported(module) & foreign == set()


@pytest.mark.parametrize("module", below(HUB))
def test_the_package_for_optunahub_needs_optuna_and_scipy_alone(module: str) -> None:
    packages = packages_imported(module) - sys.stdlib_module_names
    assert packages <= {"hpo", "numpy", "optuna", "scipy"}
    assert {
        name for name in imports_of(SOURCES[module]) if name.startswith("hpo.") and not name.startswith(HUB)
    } == set()


@pytest.mark.parametrize("module", below("hpo.figures"))
def test_figures_are_handed_arrays_and_open_nothing(module: str) -> None:
    assert packages_imported(module) & {"torch", "optuna", "sqlalchemy", "sqlite3", "yaml"} == set()
    searched = ("hpo.search.best_trial.", "hpo.search.pareto.")
    of_model = ("model.atomic_files.", "model.config.", "model.printable.", "model.scoring.definitions.")
    allowed = ("hpo.figures.", *searched, *of_model)
    ours = {name for name in imports_of(SOURCES[module]) if name.partition(".")[0] in ("hpo", "model")}
    assert {name for name in ours if not f"{name}.".startswith(allowed)} == set()


def test_nothing_imports_the_command_line() -> None:
    assert [module for module in SOURCES if "hpo.__main__" in modules_imported(SOURCES[module])] == []


def test_the_setup_script_imports_nothing_but_the_standard_library() -> None:
    assert {name.partition(".")[0] for name in imports_of(SETUP_SCRIPT)} <= sys.stdlib_module_names


def prints_or_exits(before: str, name: str) -> bool:
    prints = (before, name) in {("", "print"), ("builtins", "print"), ("typer", "echo"), ("typer", "secho")}
    writes = before.removeprefix("sys.") in ("stdout", "stderr", "stdout.buffer", "stderr.buffer")
    exits = name in ("exit", "_exit", "Exit", "Abort", "SystemExit")
    return prints or writes or exits or name == "Console"


def test_only_the_command_line_prints_exits_or_opens_a_console() -> None:
    guilty = {module for module in OURS if any(prints_or_exits(*call) for call in calls(SOURCES[module]))}
    assert {package_of(module) for module in guilty} == {"hpo.cli"}


@pytest.mark.parametrize("line", ["print('x')", "sys.exit(2)", "raise typer.Exit(1)", "raise SystemExit(1)", "exit()"])
def test_the_reader_sees_what_prints_or_exits(line: str) -> None:
    assert any(prints_or_exits(*call) for call in calls(f"def f():\n    {line}"))


def test_only_the_search_space_asks_a_trial_for_values() -> None:
    guilty = {module for module in OURS if any(name.startswith("suggest_") for _, name in calls(SOURCES[module]))}
    assert guilty == {"hpo.config.search_space"}


@cache
def result_files() -> set[str]:
    """File and folder names that the modules of hpo/storage/paths hold in full, without a number in them."""
    modules = ("hpo.storage.paths.run_paths", "hpo.storage.paths.study_paths")
    words = {text for module in modules for text in texts(SOURCES[module])}
    return {text for text in words if Path(text).suffix or ("_" in text and not text.endswith("_"))}


def test_paths_names_the_files_that_a_study_leaves() -> None:
    promised = {"study.db", "metrics.json", "metrics.csv", "model.pt", "config.yaml", "loss_curves.png"}
    promised |= {"reconstruction_progress.gif", "reconstruction_progress.mp4", "reconstruction_frames"}
    assert promised <= result_files()


@pytest.mark.parametrize("module", sorted({*OURS} - {*below("hpo.storage.paths")}))
def test_no_other_module_names_a_result_file(module: str) -> None:
    assert {text for text in texts(SOURCES[module]) if any(name in text for name in result_files())} == set()


def test_the_reader_sees_a_file_name_inside_a_formatted_string() -> None:
    assert any("study.db" in text for text in texts("'''study.md'''\nx = f'results/{name}/study.db'"))
    assert not any("study.md" in text for text in texts("'''study.md'''\nx = 1"))
