"""The direct requirements, the pins made from them, and the facts about the project that stand in several files."""

import ast
import functools
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution, packages_distributions, version
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# Those of requirements-share.txt and -track.txt need not be installed; this one has another name than its module.
PACKAGES = {"mlflow": ["mlflow-skinny"], **packages_distributions()}
FOLDERS = ("hpo", "model", "scripts", "benchmarks", "examples", "data")
FILES = ("requirements.txt", "requirements-cuda.txt", "requirements-cluster.txt", "requirements-dev.txt")
# With --storage and --files alone, the second is needed.
DIRECT = ("requirements.in", "requirements-cluster.in", "requirements-share.in", "requirements-track.in")
# Of requirements-peers.in, which nothing else needs, and what is imported while a wheel is built.
PEERS, BUILD = ROOT / "benchmarks/search/peers", ROOT / "scripts/read_requirements.py"
# Run by itself, with the packages that it names.
EXAMPLE = ROOT / "hpo/optunahub/samplers/learning_curves/example.py"


def lines(name: str) -> list[str]:
    """Return the file's lines that are neither comments nor options."""
    return [line for line in (ROOT / name).read_text().splitlines() if re.match("[A-Za-z]", line)]


def requirements(name: str) -> dict[str, Requirement]:
    """Return the requirements in the file by the names of their packages."""
    parsed = [Requirement(line.partition("  #")[0]) for line in lines(name)]
    return {canonicalize_name(requirement.name): requirement for requirement in parsed}


@functools.cache
def imported_packages(*folders: str) -> set[str]:
    """Return the installed packages that Python files in the folders import, by name."""
    files = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    files = [path for path in files if path.parent != PEERS and path not in (BUILD, EXAMPLE)]
    trees = [ast.parse(path.read_text()) for path in files]
    modules: set[str] = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Import):
            modules |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module.partition(".")[0])
    of_project = {path.name for path in ROOT.iterdir() if path.is_dir()}
    return {canonicalize_name(PACKAGES.get(name, [name])[0]) for name in modules - sys.stdlib_module_names - of_project}


def needed(package: str) -> Iterator[str]:
    """Yield the package and all that it needs on this machine, by name."""
    yield canonicalize_name(package)
    for text in distribution(package).requires or ():
        requirement = Requirement(text)
        if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
            yield from needed(requirement.name)


def test_every_imported_package_is_a_direct_requirement() -> None:
    direct = {name for file in DIRECT for name in requirements(file)}
    imported = imported_packages(*FOLDERS)
    assert {"torch", "pyyaml", "sqlalchemy", "bottle"} <= imported
    assert imported - direct == set()
    for_tests = {name for file in ("requirements-dev.in", "requirements-peers.in") for name in requirements(file)}
    assert imported_packages("tests") - direct - for_tests == set()


def test_every_direct_requirement_is_imported_or_says_why_not() -> None:
    lines_of_both = [line for file in DIRECT for line in lines(file)]
    explained = {re.split(r"~=|\[", line)[0] for line in lines_of_both if "  # not imported: " in line}
    assert {name for file in DIRECT for name in requirements(file)} - explained == imported_packages(*FOLDERS)


def test_every_pin_is_exact() -> None:
    others = [f"requirements-{kind}.txt" for kind in ("share", "track", "peers")]
    pins = [line for name in (*FILES, *others) for line in lines(name)]
    assert len(pins) > 80
    # OpenTelemetry's conventions have no release but b1, b2, ...
    assert [pin for pin in pins if not re.fullmatch(r"[a-z0-9-]+==[0-9.]+(post\d+|b\d+)?( ; .+)?", pin)] == []


def test_pins_cover_all_that_the_direct_requirements_need() -> None:
    runtime, cuda, cluster, dev = (requirements(name) for name in FILES)
    tree = {name for package in requirements("requirements.in") for name in needed(package)}
    assert tree - cuda.keys() == runtime.keys()
    dev_tree = {name for package in requirements("requirements-dev.in") for name in needed(package)}
    # The extra of a direct requirement is no package of its own.
    assert dev_tree - runtime.keys() == dev.keys() - {"psycopg-binary"}
    # Ray may not be installed here.
    of_both = requirements("requirements-cluster.in").keys() & requirements("requirements-dev.in").keys()
    assert of_both == {"obstore", "psycopg"} and {str(cluster[name]) == str(dev[name]) for name in of_both} == {True}


def test_pins_of_other_packages_searches_leave_all_others_as_they_are() -> None:
    peers, cluster = requirements("requirements-peers.txt"), requirements("requirements-cluster.txt")
    assert {"smac", "syne-tune", "configspace"} <= peers.keys()
    others = {name for file in FILES if "cluster" not in file for name in requirements(file)}
    assert peers.keys() & others == set()
    assert {str(peers[name]) for name in peers.keys() & cluster.keys()} <= set(map(str, cluster.values()))


@pytest.mark.parametrize("kind", ["requirements", "requirements-dev"])
def test_pins_satisfy_the_direct_requirements_and_are_installed(kind: str) -> None:
    pins = requirements("requirements.txt") | requirements(f"{kind}.txt")
    for package, requirement in requirements(f"{kind}.in").items():
        installed = version(package).partition("+")[0]
        assert requirement.specifier.contains(installed), package
        assert str(pins[package].specifier) == f"=={installed}"


def test_packages_of_the_cuda_build_are_constraints_only() -> None:
    cuda = requirements("requirements-cuda.txt").keys()
    assert {"triton", "nvidia-cublas", "nvidia-cudnn-cu13"} <= cuda
    assert not [name for name in requirements("requirements.txt") if name.startswith(("nvidia", "cuda", "triton"))]
    assert "\n-c requirements-cuda.txt\n" in (ROOT / "requirements.txt").read_text()


def test_the_citation_has_the_projects_version_and_license() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
