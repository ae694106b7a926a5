"""Study files: the shipped ones load, and every fault of any other is told at once, by key, rule and value."""

from pathlib import Path
from typing import Any

import optuna
import pytest
import yaml

from hpo.config.hyperparameters import TUTORIAL, Range
from hpo.config.schema import StudyConfig
from hpo.config.search_space import suggest, tutorial_values
from hpo.config.study_file import ConfigError, find_config, read_config

SHIPPED = sorted((Path(__file__).resolve().parents[2] / "study_configs").glob("*.yaml"))
MINE = Path("study_configs/mine.yaml")
NAME_RULE = "must be letters, digits, dots, dashes and underscores, and begin with one of the first two"
BUDGET = "budget: {trials: 3}\n"
SEARCH = "hyperparameters: {beta: {low: 0.1, high: 1.0}}\n"
SOUND = BUDGET + SEARCH


@pytest.fixture(autouse=True)
def empty_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory that holds study_configs/ and nothing else."""
    monkeypatch.chdir(tmp_path)
    MINE.parent.mkdir()


def read(text: str) -> StudyConfig:
    MINE.write_text(text, encoding="utf-8")
    return read_config(MINE)


def faults(text: str | bytes) -> list[str]:
    """What is told of a file with this text, without the file's name, which begins every line."""
    MINE.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as refusal:
        read_config(MINE)
    lines = str(refusal.value).splitlines()
    assert all(line.startswith(f"{MINE}: ") for line in lines)
    return [line.removeprefix(f"{MINE}: ") for line in lines]


def hyperparameter(entry: str) -> str:
    """A sound file but for this entry of `hyperparameters`."""
    return f"{BUDGET}hyperparameters:\n  max_grad_norm: {{low: 1, high: 2}}\n  {entry}\n"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_config_loads_under_its_own_name(path: Path) -> None:
    assert read_config(path).name == path.stem


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_first_trial_of_every_shipped_config_has_the_tutorials_values(path: Path) -> None:
    hyperparameters = read_config(path).hyperparameters
    study = optuna.create_study()
    study.enqueue_trial(tutorial_values(hyperparameters))
    first = suggest(study.ask(), hyperparameters)
    expected = {"beta": 1.0, "latent_dim": 128, "learning_rate": 1e-3, "batch_size": 64}
    assert {name: first[name] for name in expected} == expected


def test_the_default_the_quick_and_the_gpu_study_are_shipped() -> None:
    assert {"cifar10", "gpu", "quick"} <= {path.stem for path in SHIPPED}


def test_a_space_without_the_tutorials_value_leaves_that_one_to_the_sampler() -> None:
    space = "beta: {low: 2, high: 3}, latent_dim: {low: 16, high: 128}, batch_size: {choices: [32, 128]}"
    hyperparameters = read(f"{BUDGET}hyperparameters: {{{space}}}").hyperparameters
    assert tutorial_values(hyperparameters) == {"latent_dim": 128}


def test_what_is_left_out_of_a_config_has_the_tutorials_value() -> None:
    hyperparameters = read(SOUND).hyperparameters
    fixed = {name: value for name, value in hyperparameters.entries().items() if name != "beta"}
    assert fixed == {name: getattr(TUTORIAL, name) for name in fixed}


@pytest.mark.parametrize(
    ("text", "number"),
    [("1e-4", 1e-4), ("1E-4", 1e-4), ("1.e-4", 1e-4), (".5", 0.5), ("2e+1", 20.0), ("+3.5", 3.5), ("1_000.5", 1000.5)],
)
def test_a_number_may_be_written_in_any_usual_way(text: str, number: float) -> None:
    assert read(hyperparameter(f"learning_rate: {text}")).hyperparameters.learning_rate == number


def test_a_range_holds_the_numbers_of_the_file() -> None:
    entry = read(hyperparameter("learning_rate: {low: 1e-4, high: 1e-2, log: true}")).hyperparameters.learning_rate
    assert isinstance(entry, Range)
    assert (entry.low, entry.high, entry.log) == (1e-4, 1e-2, True)


def test_a_studys_name_is_its_files_unless_it_says_otherwise() -> None:
    assert read(SOUND).name == "mine"
    assert read(f"{SOUND}name: other.name-2_b\n").name == "other.name-2_b"


def test_a_file_whose_own_name_cannot_be_a_studys_is_refused_by_the_key_that_mends_it() -> None:
    path = Path("study_configs/my study.yaml")
    path.write_text(SOUND)
    with pytest.raises(ConfigError) as refusal:
        read_config(path)
    assert str(refusal.value) == f"{path}: name: {NAME_RULE}, got 'my study'"


def test_pruner_and_confirmation_are_off_with_a_second_objective_whatever_the_file_says() -> None:
    rest = "pruner: {name: halving}\nconfirmation: {top: 3}\n"
    one, two = (read(f"{SOUND}{rest}objectives: [{names}]\n") for names in ("val_bpd", "val_bpd, seconds_per_epoch"))
    assert (one.pruner.name, one.confirmation.top) == ("halving", 3)
    assert (two.pruner.name, two.confirmation.top) == ("none", 0)
    assert read(SOUND).objectives == ("val_bpd",)


def test_a_read_config_cannot_be_changed() -> None:
    config = read(SOUND)
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param(
            hyperparameter("beta: {low: 0.0, high: 1.0, log: true}"),
            "hyperparameters.beta.low: must be > 0 on a log scale, got 0.0",
            id="zero-on-a-log-scale",
        ),
        pytest.param(
            f"{SOUND}pruner: {{warmup: 1}}",
            "pruner.warmup: unknown key; did you mean 'warmup_epochs'?",
            id="unknown-nested-key",
        ),
        # Types: nothing is converted.
        pytest.param(f"budget: {{trials: '3'}}\n{SEARCH}", "budget.trials: must be a whole number, got '3'"),
        pytest.param(hyperparameter("beta: '1.0'"), "hyperparameters.beta: must be a number, got '1.0'"),
        pytest.param(
            hyperparameter("latent_dim: {choices: ['64', 128]}"),
            "hyperparameters.latent_dim.choices.0: must be a whole number, got '64'",
        ),
        pytest.param(hyperparameter("beta: true"), "hyperparameters.beta: must be a number, got True"),
        pytest.param(hyperparameter("beta: [1, 2]"), "hyperparameters.beta: must be a number, got [1, 2]"),
        pytest.param(
            hyperparameter("batch_size: 64.5"), "hyperparameters.batch_size: must be a whole number, got 64.5"
        ),
        pytest.param(
            hyperparameter("beta: {low: 1, high: 2, log: 1}"),
            "hyperparameters.beta.log: must be true or false, got 1",
        ),
        pytest.param(f"{SOUND}training: {{epochs: 2.5}}", "training.epochs: must be a whole number, got 2.5"),
        pytest.param(f"{SOUND}training: {{epochs: true}}", "training.epochs: must be a whole number, got True"),
        pytest.param(f"{SOUND}training: fast", "training: must be a mapping of keys, got 'fast'"),
        pytest.param(f"{SOUND}training:\n", "training: must be a mapping of keys, got None"),
        pytest.param(f"{SOUND}training: {{device: 0}}", "training.device: must be text, got 0"),
        pytest.param(f"{SOUND}data: {{fallback: maybe}}", "data.fallback: must be true or false, got 'maybe'"),
        pytest.param(f"{SOUND}model: {{channels: 32}}", "model.channels: must be a list, got 32"),
        # Ranges and choices.
        pytest.param(
            hyperparameter("latent_dim: {low: 64, high: 16}"),
            "hyperparameters.latent_dim.high: must be greater than low (64), got 16",
        ),
        pytest.param(
            hyperparameter("latent_dim: {low: 64, high: 64}"),
            "hyperparameters.latent_dim.high: must be greater than low (64), got 64",
        ),
        pytest.param(hyperparameter("beta: {low: -1, high: 1}"), "hyperparameters.beta.low: must be >= 0.0, got -1"),
        pytest.param(hyperparameter("beta: {low: 1}"), "hyperparameters.beta.high: is missing"),
        pytest.param(
            hyperparameter("latent_dim: {low: 1, high: 4000}"),
            "hyperparameters.latent_dim.high: must be <= 3072, got 4000",
        ),
        pytest.param(
            hyperparameter("batch_size: {choices: []}"),
            "hyperparameters.batch_size.choices: must have at least 1 of them, got []",
            id="empty-choices",
        ),
        pytest.param(
            hyperparameter("batch_size: {choices: [64, 128, 64]}"),
            "hyperparameters.batch_size.choices: must not repeat a value, got [64, 128, 64]",
            id="repeated-choices",
        ),
        pytest.param(
            hyperparameter("beta: {choices: [1, 1.0]}"),
            "hyperparameters.beta.choices: must not repeat a value, got [1, 1.0]",
            id="choices-repeated-in-other-writing",
        ),
        pytest.param(
            hyperparameter("batch_size: {choices: 64}"), "hyperparameters.batch_size.choices: must be a list, got 64"
        ),
        pytest.param(
            hyperparameter("schedule: {choices: [constant, linear]}"),
            "hyperparameters.schedule.choices.1: must be 'constant' or 'cosine', got 'linear'",
        ),
        pytest.param(
            hyperparameter("schedule: linear"), "hyperparameters.schedule: must be 'constant' or 'cosine', got 'linear'"
        ),
        # NaN and infinity.
        pytest.param(hyperparameter("learning_rate: .inf"), "hyperparameters.learning_rate: must be finite, got inf"),
        pytest.param(hyperparameter("beta: .nan"), "hyperparameters.beta: must be finite, got nan"),
        pytest.param(
            hyperparameter("beta: {low: 0, high: .inf}"), "hyperparameters.beta.high: must be finite, got inf"
        ),
        pytest.param(hyperparameter("beta: {low: .nan, high: 1}"), "hyperparameters.beta.low: must be finite, got nan"),
        pytest.param(f"budget: {{timeout_minutes: .nan}}\n{SEARCH}", "budget.timeout_minutes: must be finite, got nan"),
        pytest.param(hyperparameter("beta: NaN"), "hyperparameters.beta: must be a number, got 'NaN'"),
        # The budget.
        pytest.param(SEARCH, "budget: is missing", id="no-budget"),
        pytest.param(
            f"budget: {{}}\n{SEARCH}",
            "budget.timeout_minutes: must be a number where trials is null",
            id="empty-budget",
        ),
        pytest.param(f"budget:\n{SEARCH}", "budget: must be a mapping of keys, got None", id="null-budget"),
        pytest.param(f"budget: {{trials: 0}}\n{SEARCH}", "budget.trials: must be >= 1, got 0", id="zero-trials"),
        pytest.param(
            f"budget: {{timeout_minutes: 0}}\n{SEARCH}", "budget.timeout_minutes: must be > 0.0, got 0", id="zero-time"
        ),
        # The rest.
        pytest.param(
            f"{BUDGET}hyperparameters: {{beta: 1.0}}",
            "hyperparameters: leaves nothing to search: give an entry a range or choices",
            id="fixed-only",
        ),
        pytest.param(
            BUDGET, "hyperparameters: leaves nothing to search: give an entry a range or choices", id="none-named"
        ),
        pytest.param(
            f"{SOUND}data: {{source: folder}}", "data.root: must name the folder of images where source is folder"
        ),
        pytest.param(
            f"{SOUND}data: {{source: imagenet}}",
            "data.source: must be 'cifar10', 'sample' or 'folder', got 'imagenet'",
        ),
        pytest.param(
            f"{SOUND}pruner: {{name: hyperband}}", "pruner.name: must be 'halving', 'median' or 'none', got 'hyperband'"
        ),
        pytest.param(
            f"{SOUND}model: {{channels: [8, 8, 8]}}", "model.channels: must have at least 4 of them, got [8, 8, 8]"
        ),
        pytest.param(f"{SOUND}model: {{channels: [8, 8, 8, 0]}}", "model.channels.3: must be >= 1, got 0"),
        pytest.param(
            f"{SOUND}model: {{architecture: resnet}}",
            "model.architecture: must be 'plain' or 'norm_free', got 'resnet'",
        ),
        pytest.param(
            f"{BUDGET}model: {{linear_path: true}}\nhyperparameters: {{reconstruction: {{choices: [gaussian, bce]}}}}",
            "hyperparameters: with model.linear_path reconstruction must be gaussian: pPCA is a Gaussian model",
            id="linear-bernoulli",
        ),
        pytest.param(f"{SOUND}objectives: val_bpd", "objectives: must be a list, got 'val_bpd'"),
        pytest.param(f"{SOUND}objectives: []", "objectives: must have at least 1 of them, got []"),
        pytest.param(
            f"{SOUND}objectives: [val_bpd, mse]",
            "objectives.1: must be 'val_bpd', 'latent_dim' or 'seconds_per_epoch', got 'mse'",
        ),
        pytest.param(
            f"{SOUND}objectives: [seconds_per_epoch, val_bpd]",
            "objectives: must begin with val_bpd, got ['seconds_per_epoch', 'val_bpd']",
        ),
        pytest.param(
            f"{SOUND}objectives: [val_bpd, val_bpd]", "objectives: must not repeat a value, got ['val_bpd', 'val_bpd']"
        ),
        pytest.param(
            hyperparameter("latent_dim: {low: 2, high: 8}") + "objectives: [val_bpd, latent_dim, seconds_per_epoch]",
            "objectives: must have at most 2 of them, got ['val_bpd', 'latent_dim', 'seconds_per_epoch']",
        ),
        pytest.param(
            f"{SOUND}objectives: [val_bpd, latent_dim]",
            "objectives: name latent_dim, which is fixed: give hyperparameters.latent_dim a range or choices",
            id="second-objective-fixed",
        ),
        pytest.param(f"{SOUND}seed: -1", "seed: must be >= 0, got -1"),
        pytest.param(f"{SOUND}training: {{report_every: 0}}", "training.report_every: must be >= 0.01, got 0"),
        pytest.param(f"{SOUND}training: {{report_every: 1.5}}", "training.report_every: must be <= 1.0, got 1.5"),
    ],
)
def test_one_fault_is_one_line_of_file_key_rule_and_value(text: str, line: str) -> None:
    assert faults(text) == [line]


@pytest.mark.parametrize(
    "name", ["a/b", "/etc", "..", "../up", ".hidden", "-dash", "a b", "a\\b", "é", "", "a\n", "a\0b", "%2e", "a:b"]
)
def test_a_name_that_would_leave_its_folder_or_need_quoting_is_refused(name: str) -> None:
    assert faults(SOUND + yaml.safe_dump({"name": name})) == [f"name: {NAME_RULE}, got {name!r}"]


def test_a_name_too_long_for_a_folder_is_refused() -> None:
    assert faults(f"{SOUND}name: {'a' * 101}")[0].startswith("name: must have at most 100 characters, got 'aaa")
    assert read(f"{SOUND}name: {'a' * 100}").name == "a" * 100


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [
        (f"{SOUND}budgets: 1", "budgets", "budget"),
        (f"{SOUND}training: {{epoch: 3}}", "training.epoch", "epochs"),
        (f"{SOUND}training: {{report_evry: 0.5}}", "training.report_evry", "report_every"),
        (f"{SOUND}data: {{sauce: cifar10}}", "data.sauce", "source"),
        (f"{SOUND}retrain: {{epoch: 2}}", "retrain.epoch", "epochs"),
        (f"{SOUND}model: {{channel: [1, 1, 1, 1]}}", "model.channel", "channels"),
        (f"budget: {{trials: 3, timeout: 3}}\n{SEARCH}", "budget.timeout", "timeout_minutes"),
        (hyperparameter("latent: 3"), "hyperparameters.latent", "latent_dim"),
        (hyperparameter("beta: {low: 1, high: 2, logg: true}"), "hyperparameters.beta.logg", "log"),
        (hyperparameter("schedule: {choices: [cosine], choises: 1}"), "hyperparameters.schedule.choises", "choices"),
    ],
)
def test_an_unknown_key_is_answered_with_the_nearest_right_one(text: str, key: str, nearest: str) -> None:
    assert faults(text) == [f"{key}: unknown key; did you mean '{nearest}'?"]


def test_an_unknown_key_like_no_other_is_answered_with_all_that_there_are() -> None:
    (line,) = faults(f"{SOUND}pruner: {{xyz: 1}}")
    assert (
        line
        == "pruner.xyz: unknown key; known here: name, startup_trials, warmup_epochs, reduction_factor, rung_spacing"
    )


def test_a_range_beside_choices_is_told_to_be_one_or_the_other() -> None:
    line = "does not go with choices; give low and high, or choices"
    assert faults(hyperparameter("beta: {choices: [1, 2], low: 1}")) == [f"hyperparameters.beta.low: {line}"]


def test_every_fault_of_a_file_is_told_at_once() -> None:
    text = """
    name: a/b
    seed: -1
    sead: 1
    data: {source: imagenet, roots: x}
    model: {channels: [1, 2]}
    hyperparameters:
      beta: {low: 0.0, high: 1.0, log: true}
      latent_dim: {low: 64, high: 16}
      learning_rate: '1e-3'
      batch_size: {choices: []}
      schedule: linear
    training: {epochs: 0, device: 1}
    budget: {trials: 0}
    pruner: {warmup: 1}
    retrain: {epochs: many}
    """
    assert sorted(faults(text)) == [
        "budget.trials: must be >= 1, got 0",
        "data.roots: unknown key; did you mean 'root'?",
        "data.source: must be 'cifar10', 'sample' or 'folder', got 'imagenet'",
        "hyperparameters.batch_size.choices: must have at least 1 of them, got []",
        "hyperparameters.beta.low: must be > 0 on a log scale, got 0.0",
        "hyperparameters.latent_dim.high: must be greater than low (64), got 16",
        "hyperparameters.learning_rate: must be a number, got '1e-3'",
        "hyperparameters.schedule: must be 'constant' or 'cosine', got 'linear'",
        "model.channels: must have at least 4 of them, got [1, 2]",
        f"name: {NAME_RULE}, got 'a/b'",
        "pruner.warmup: unknown key; did you mean 'warmup_epochs'?",
        "retrain.epochs: must be a whole number, got 'many'",
        "sead: unknown key; did you mean 'seed'?",
        "seed: must be >= 0, got -1",
        "training.device: must be text, got 1",
        "training.epochs: must be >= 1, got 0",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{BUDGET}hyperparameters: {{beta: 1.0}}\nseed: -1", ["nothing to search", "seed: "]),
        (f"{SOUND}data: {{source: folder, fallback: maybe}}", ["data.root: must name", "data.fallback: "]),
    ],
)
def test_a_fault_elsewhere_hides_no_rule_about_several_keys(text: str, expected: list[str]) -> None:
    told = "\n".join(faults(text))
    assert all(words in told for words in expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{SOUND}seed: 1\nseed: 2\n", ["the key 'seed' stands twice", "line 4"]),
        (f"budget: {{trials: 3, trials: 4}}\n{SEARCH}", ["the key 'trials' stands twice", "line 1"]),
        (hyperparameter("beta: {low: 1, high: 2, low: 3}"), ["the key 'low' stands twice", "line 4"]),
    ],
)
def test_a_key_that_stands_twice_is_a_fault_with_its_line(text: str, words: list[str]) -> None:
    (line,) = faults(text)
    assert all(word in line for word in words)


@pytest.mark.parametrize(
    ("contents", "shown"),
    [("", "None"), ("# a comment\n", "None"), ("- a\n- b\n", "['a', 'b']"), ("5", "5"), ("hello", "'hello'")],
)
def test_a_file_that_is_no_mapping_is_told_what_it_is(contents: str, shown: str) -> None:
    assert faults(contents) == [f"must be a mapping of keys like `budget:`, got {shown}"]


def test_a_binary_file_is_no_text() -> None:
    assert faults(b"\x89PNG\r\n\x1a\n\xff\xfe\x00") == ["is not a text file in UTF-8"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("budget: {trials: 3\nseed", id="unclosed"),
        pytest.param("budget:\n\ttrials: 3", id="tab"),
        pytest.param(f"{SOUND}---\na: 1", id="two-documents"),
        pytest.param("? [a]\n: b", id="list-as-a-key"),
        pytest.param("budget: &x [*x]", id="recursive"),
        pytest.param("seed: !!python/object/apply:os.system ['touch pwned']", id="python-object"),
        pytest.param(f"{SOUND}name: 'a\x00'", id="null-byte"),
    ],
)
def test_what_is_no_yaml_is_one_line_and_runs_nothing(text: str) -> None:
    (line,) = faults(text)
    assert line.startswith("cannot be read: ")
    assert not Path("pwned").exists()


@pytest.mark.parametrize("argument", ["mine", "study_configs/mine.yaml", "./study_configs/mine.yaml"])
def test_a_config_is_found_by_name_and_by_path(argument: str) -> None:
    MINE.write_text(SOUND)
    assert find_config(argument).samefile(MINE)


def test_a_path_wins_over_a_name() -> None:
    MINE.write_text(SOUND)
    Path("mine").write_text(SOUND)
    assert find_config("mine") == Path("mine")


def refusal_to_find(argument: str) -> str:
    with pytest.raises(ConfigError) as refusal:
        find_config(argument)
    return str(refusal.value)


def test_an_absent_config_is_answered_with_those_that_there_are() -> None:
    for name in ("quick", "gpu"):
        Path(f"study_configs/{name}.yaml").write_text(SOUND)
    assert refusal_to_find("qick") == "no study file qick or study_configs/qick.yaml; there is: gpu, quick"


def test_an_absent_config_in_an_empty_folder_says_that_there_is_none() -> None:
    assert refusal_to_find("quick") == "no study file quick or study_configs/quick.yaml; there is: none"


def test_a_directory_is_no_config() -> None:
    MINE.write_text(SOUND)
    assert refusal_to_find("study_configs").startswith("no study file study_configs or ")


@pytest.mark.parametrize(
    ("entry", "largest"), [("64", 64), ("{low: 16, high: 256}", 256), ("{choices: [256, 64, 128]}", 256)]
)
def test_the_largest_value_of_an_entry_is_its_upper_end(entry: str, largest: Any) -> None:
    assert read(hyperparameter(f"batch_size: {entry}")).hyperparameters.largest("batch_size") == largest
