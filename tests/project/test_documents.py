"""README, docs/ and CONTRIBUTING: links, pictures, files and names in them exist."""

import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

from hpo.storage.paths import SHOWCASE, ExportPaths, RunPaths, StudyPaths
from tests.tools.markdown_pages import CHANGELOG, GUIDES, README, ROOT, MarkdownPage

OTHERS = ("data/README.md", "results/showcase/README.md", "benchmarks/RESULTS.md", "benchmarks/SEARCH.md")
LINKED = (*GUIDES, CHANGELOG, *(MarkdownPage(name) for name in (*OTHERS, "benchmarks/ABLATION.md")))
FOLDERS = "hpo|model|scripts|tests|benchmarks|study_configs|data|docs|examples"


def test_the_readme_is_short() -> None:
    assert len(README.text.split()) <= 2000


@pytest.mark.parametrize("page", LINKED, ids=lambda page: page.name)
def test_links_lead_to_files_and_headings(page: MarkdownPage) -> None:
    for link in page.links():
        if link.startswith("https://"):
            continue
        target, _, anchor = link.partition("#")
        path = (page.path.parent / target).resolve() if target else page.path
        assert path.exists(), link
        if anchor:
            assert anchor in MarkdownPage(str(path.relative_to(ROOT))).anchors(), link


def test_the_readme_leads_to_every_guide() -> None:
    assert {page.name for page in (*GUIDES, CHANGELOG)} - {README.name} <= set(README.links())


def test_no_page_names_a_picture_without_describing_it() -> None:
    assert [page.name for page in GUIDES if "![](" in page.text] == []


def test_the_animation_is_on_top_and_every_picture_of_the_showcase_is_shown() -> None:
    shown = [Path(name).name for page in GUIDES for name in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.text)]
    assert shown[0] == "reconstruction_progress.gif"
    assert README.text.index(shown[0]) < README.text.index("\n## ")
    assert sorted(shown[1:]) == sorted(path.name for path in (ROOT / SHOWCASE).glob("*.png"))


def test_every_study_that_is_named_exists() -> None:
    texts = [page.text for page in GUIDES]
    named = {
        name for text in texts for name in re.findall(r"\b(\w+)\.yaml`|STUDY=(\w+)(?![\w/])|-m hpo \w+ (\w+)`", text)
    }
    studies = {"".join(groups) for groups in named}
    assert {"quick", "cifar10", "gpu"} <= studies
    # `mine` is the reader's own; `config.yaml` is of a run.
    assert studies - {"mine", "config"} <= {path.stem for path in (ROOT / "study_configs").glob("*.yaml")}


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_source_files_that_are_named_exist(page: MarkdownPage) -> None:
    named = [code for code in page.inline_code() if re.fullmatch(rf"(?:{FOLDERS})/[\w./*-]*", code)]
    # `mine` and `name` are the reader's own.
    named = [code for code in named if not re.search(r"\b(mine|name)\b", code)]
    assert [name for name in named if not any(ROOT.glob(name.rstrip("/")))] == []


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_names_in_the_code_that_are_mentioned_exist(page: MarkdownPage) -> None:
    names = {name for code in page.inline_code() for name in re.findall(r"^[A-Za-z_][\w.]*(?=$|\()", code)}
    names = {name.rpartition(".")[2] for name in names if re.search(r"_|[a-z][A-Z]", name)}
    # The reader's own, in the example of a new hyperparameter.
    assert sorted(name for name in names - {"adam_beta1"} if not re.search(rf"\b{name}\b", sources())) == []


@cache
def sources() -> str:
    """Return the text of all Python files and of the Makefile."""
    files = [
        path for folder in ("hpo", "model", "scripts", "tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")
    ]
    return "\n".join(path.read_text() for path in [*files, ROOT / "Makefile"])


def test_the_files_shown_are_those_that_are_written() -> None:
    (tree,) = re.findall(r"```\nresults/<study>/\n(.*?)```", README.text, re.DOTALL)
    _, _, below_best = tree.partition("  best/")
    run, study = StudyPaths.of("study").best, StudyPaths.of("study")
    beside_it = {"lock", "under_way", "state", "errors"}
    written = {getattr(run, name).name for name in properties(RunPaths) if name not in beside_it}
    shown = set(re.findall(r"\b(\w+\.(?:html|gif|mp4|png|json|csv|yaml|pt|db)|\w+_frames)\b", below_best))
    assert shown == written
    of_a_study = {getattr(study, name).name for name in ("database", "ppca_baseline", "checkpoints", "artifacts")}
    of_a_study |= {study.errors.name, str(study.report.relative_to(study.folder))}
    of_a_study |= {getattr(study.export, name).name for name in properties(ExportPaths)}
    assert [name for name in of_a_study if name not in tree] == []


def properties(paths: type) -> list[str]:
    """Return the names of a class's properties, inherited ones included."""
    return [name for name in dir(paths) if isinstance(getattr(paths, name), property)]


def test_the_newest_version_is_the_same_everywhere() -> None:
    newest = re.findall(r"^## \[(.+?)\]", CHANGELOG.text, re.MULTILINE)[0]
    assert newest == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"version: {newest}\n" in (ROOT / "CITATION.cff").read_text()
