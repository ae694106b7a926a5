"""Generated files are up to date: the tables in docs/configuration.md and the JSON schema of study files."""

from pathlib import Path

import pytest

from scripts import generate_docs


def test_generated_files_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate_docs.main(["--check"]) == 0, capsys.readouterr().err


def test_an_outdated_file_is_reported_by_check_and_then_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    current = generate_docs.PAGE.read_text()
    page, schema = tmp_path / "configuration.md", tmp_path / "schema.json"
    page.write_text(current.replace("| `seed` | `0` |", "| `seed` | `1` |"))
    schema.write_text(generate_docs.EDITOR_SCHEMA.read_text())
    for name, path in {"ROOT": tmp_path, "PAGE": page, "EDITOR_SCHEMA": schema}.items():
        monkeypatch.setattr(generate_docs, name, path)
    assert generate_docs.main(["--check"]) == 1
    assert capsys.readouterr().err == "configuration.md: is not up to date; run python -m scripts.generate_docs\n"
    assert page.read_text() != current
    assert generate_docs.main([]) == 0
    assert page.read_text() == current
