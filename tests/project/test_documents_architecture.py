"""docs/architecture.md: it names every package, and draws the imports and their order as they are."""

import re

from tests.project.test_architecture import LAYERS, SOURCES, modules_imported, package_of
from tests.tools.markdown_pages import ROOT, doc

PAGE = doc("architecture")
# Modules that stand alone beside the packages, and are no room to look for.
UNNAMED = {"hpo", "hpo.__main__"}


def test_every_folder_of_the_packages_is_named() -> None:
    folders = {path.parent.relative_to(ROOT) for name in ("hpo", "model") for path in (ROOT / name).rglob("*.*")}
    folders = {folder for folder in folders if folder.name != "__pycache__"}
    named = {code.rstrip("/") for code in PAGE.inline_code()}
    assert {str(folder) for folder in folders} - named == set()


def test_every_module_beside_the_packages_of_model_is_named() -> None:
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "model").glob("*.py")} - {"model/__init__.py"}
    assert modules - set(PAGE.inline_code()) == set()


def test_the_order_of_imports_is_the_one_that_is_held() -> None:
    rows = re.findall(r"^\| \d+ \| (.+) \|$", PAGE.text, re.MULTILINE)
    named = [set(re.findall(r"`([\w.]+)`", row)) - UNNAMED for row in rows]
    assert named == [layer - UNNAMED for layer in LAYERS if layer - UNNAMED]


def test_every_arrow_that_is_drawn_is_an_import() -> None:
    drawing = PAGE.code_blocks("mermaid")[0]
    labels = dict(re.findall(r'(\w+)\["([\w.]+)"\]', drawing))
    arrows = {(labels[a], labels[b]) for a, b in re.findall(r"(\w+)(?:\[[^]]*\])? --> (\w+)", drawing)}
    imports = {(package_of(name), package_of(other)) for name in SOURCES for other in modules_imported(SOURCES[name])}
    # `hpo` exports hpo.api.
    imports |= {(package, "hpo.api") for package, other in imports if other == "hpo"}
    assert len(arrows) >= 20
    assert arrows - imports == set()
    drawn = {package for arrow in arrows for package in arrow}
    packages = {package for layer in LAYERS for package in layer} - UNNAMED
    assert packages - drawn <= {
        *("model.errors", "model.config", "model.atomic_files", "model.printable", "hpo.user_commands")
    }


def test_the_files_on_the_way_of_a_trial_exist() -> None:
    drawing = PAGE.code_blocks("mermaid")[1]
    files = [name.replace("<br/>", "") for name in re.findall(r"participant \w+ as (\S+)", drawing)]
    assert len(files) >= 5
    assert [name for name in files if not (ROOT / name).exists()] == []
