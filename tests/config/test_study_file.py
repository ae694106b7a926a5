"""Study files: how they are found, and which YAML they may hold."""

from pathlib import Path

import pytest
import yaml

from hpo.config.hyperparameters import Range
from hpo.config.study_file import ConfigError, find_config, read_config
from tests.config.study_file_texts import BUDGET, MINE, NAME_RULE, SEARCH, VALID, faults, read, with_entry

pytestmark = pytest.mark.usefixtures("empty_checkout")


@pytest.mark.parametrize("argument", ["mine", "study_configs/mine.yaml", "./study_configs/mine.yaml"])
def test_a_study_file_is_found_by_name_and_by_path(argument: str) -> None:
    MINE.write_text(VALID)
    assert find_config(argument).samefile(MINE)


def test_a_path_is_preferred_to_a_name() -> None:
    MINE.write_text(VALID)
    Path("mine").write_text(VALID)
    assert find_config("mine") == Path("mine")


def test_an_absent_study_file_is_reported_with_the_names_that_exist() -> None:
    with pytest.raises(ConfigError) as refusal:
        find_config("qick")
    assert str(refusal.value) == "no study file qick or study_configs/qick.yaml; available: cifar10, gpu, pareto, quick"
    for name in ("quick", "mine"):
        Path(f"study_configs/{name}.yaml").write_text(VALID)
    with pytest.raises(ConfigError, match=r"; available: cifar10, gpu, mine, pareto, quick$"):
        find_config("qick")


def test_a_folder_is_no_study_file() -> None:
    with pytest.raises(ConfigError, match=r"^no study file study_configs or "):
        find_config("study_configs")


def test_a_study_has_its_files_name_unless_the_file_gives_another() -> None:
    assert read(VALID).name == "mine"
    assert read(f"{VALID}name: other.name-2_b\n").name == "other.name-2_b"
    assert read(f"{VALID}name: {'a' * 100}").name == "a" * 100


def test_a_file_whose_own_name_cannot_be_a_studys_is_refused_with_the_key_that_fixes_it() -> None:
    path = Path("study_configs/my study.yaml")
    path.write_text(VALID)
    with pytest.raises(ConfigError) as refusal:
        read_config(path)
    assert str(refusal.value) == f"{path}: name: {NAME_RULE}, got 'my study'"


@pytest.mark.parametrize(
    "name", ["a/b", "/etc", "..", "../up", ".hidden", "-dash", "a b", "a\\b", "é", "", "a\n", "a\0b", "%2e", "a:b"]
)
def test_a_name_that_would_leave_its_folder_or_need_quoting_is_refused(name: str) -> None:
    assert faults(VALID + yaml.safe_dump({"name": name})) == [f"name: {NAME_RULE}, got {name!r}"]


def test_a_name_that_is_too_long_or_reserved_is_refused() -> None:
    assert faults(f"{VALID}name: {'a' * 101}")[0].startswith("name: must have at most 100 characters, got 'aaa")
    rule = "must be another name, because results/train, results/showcase and results/compare hold other things"
    assert faults(f"{VALID}name: train") == [f"name: {rule}, got 'train'"]


@pytest.mark.parametrize(
    ("text", "number"),
    [("1e-4", 1e-4), ("1E-4", 1e-4), ("1.e-4", 1e-4), (".5", 0.5), ("2e+1", 20.0), ("+3.5", 3.5), ("1_000.5", 1000.5)],
)
def test_a_number_may_be_written_in_any_usual_way(text: str, number: float) -> None:
    assert read(with_entry(f"learning_rate: {text}")).hyperparameters.learning_rate == number


def test_octal_sexagesimal_and_date_notation_of_yaml_1_1_are_not_applied() -> None:
    assert read(with_entry("learning_rate: 010")).hyperparameters.learning_rate == 10.0
    assert faults(f"{VALID}seed: 1:30") == ["seed: must be a whole number, got '1:30'"]
    assert faults(f"{VALID}seed: 2001-01-01") == ["seed: must be a whole number, got '2001-01-01'"]


def test_a_range_holds_the_numbers_of_the_file() -> None:
    entry = read(with_entry("learning_rate: {low: 1e-4, high: 1e-2, log: true}")).hyperparameters.learning_rate
    assert isinstance(entry, Range)
    assert (entry.low, entry.high, entry.log) == (1e-4, 1e-2, True)


@pytest.mark.parametrize(
    ("text", "key", "line_number"),
    [
        (f"{VALID}seed: 1\nseed: 2\n", "seed", 4),
        (f"budget: {{trials: 3, trials: 4}}\n{SEARCH}", "trials", 1),
        (with_entry("beta: {low: 1, high: 2, low: 3}"), "low", 4),
    ],
)
def test_a_repeated_key_is_a_fault_with_its_line(text: str, key: str, line_number: int) -> None:
    (line,) = faults(text)
    assert f"the key '{key}' is repeated" in line
    assert f"line {line_number}" in line


@pytest.mark.parametrize(
    ("contents", "shown"),
    [("", "None"), ("# a comment\n", "None"), ("- a\n- b\n", "['a', 'b']"), ("5", "5"), ("hello", "'hello'")],
)
def test_a_file_that_is_no_mapping_is_refused_with_its_content(contents: str, shown: str) -> None:
    assert faults(contents) == [f"must be a mapping of keys like `budget:`, got {shown}"]


@pytest.mark.parametrize("contents", [b"\x89PNG\r\n\x1a\n\xff\xfe\x00", bytes(range(256))])
def test_a_binary_file_is_refused_as_no_text(contents: bytes) -> None:
    assert faults(contents) == ["is not a text file in UTF-8"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("budget: {trials: 3\nseed", id="unclosed"),
        pytest.param("budget:\n\ttrials: 3", id="tab"),
        pytest.param(f"{VALID}---\na: 1", id="two-documents"),
        pytest.param("? [a]\n: b", id="list-as-a-key"),
        pytest.param("budget: &x [*x]", id="list-in-itself"),
        pytest.param("budget: &x {trials: *x}", id="mapping-in-itself"),
        pytest.param("seed: !!python/object/apply:os.system ['touch created']", id="python-object"),
        pytest.param(f"{VALID}name: 'a\x00'", id="null-byte"),
    ],
)
def test_a_file_that_is_no_safe_yaml_is_refused_in_one_line_and_runs_nothing(text: str) -> None:
    (line,) = faults(text)
    assert line.startswith("cannot be read: ")
    assert not Path("created").exists()


def test_aliases_that_expand_to_too_many_values_are_refused() -> None:
    levels = (f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
    (line,) = faults(f"a0: &a0 [1, 1, 1, 1]\n{''.join(levels)}")
    assert line.startswith("must hold at most 10,000 values with aliases expanded, got ")


def test_a_file_that_is_too_large_is_refused() -> None:
    text = f"# {'x' * 1_000_000}\n{BUDGET}{SEARCH}"
    assert faults(text) == [f"must have at most 1,000,000 bytes, got {len(text):,}"]
