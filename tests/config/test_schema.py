"""Schema of a study file: rules of each section and across keys, and a message for every fault."""

import pytest

from tests.config.study_file_texts import BUDGET, IMAGES_RULE, NAME_RULE, SEARCH, VALID, faults, read, with_entry

pytestmark = pytest.mark.usefixtures("empty_checkout")


def test_two_objectives_turn_pruner_and_confirmation_off_whatever_the_file_says() -> None:
    rest = "pruner: {name: halving}\nconfirmation: {top: 3}\n"
    single, several = (
        read(f"{VALID}{rest}objectives: [{names}]\n") for names in ("val_bpd", "val_bpd, seconds_per_epoch")
    )
    assert (single.pruner.name, single.confirmation.top) == ("halving", 3)
    assert (several.pruner.name, several.confirmation.top) == ("none", 0)
    assert read(VALID).objectives == ("val_bpd",)


def test_a_configuration_cannot_be_changed() -> None:
    config = read(VALID)
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 1


NOTHING_SEARCHED = "hyperparameters: must have something to search: give an entry a range or choices"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        # Nothing is converted.
        (f"budget: {{trials: '3'}}\n{SEARCH}", "budget.trials: must be a whole number, got '3'"),
        (f"{VALID}training: {{epochs: 2.5}}", "training.epochs: must be a whole number, got 2.5"),
        (f"{VALID}training: {{epochs: long}}", "training.epochs: must be a whole number or 'auto', got 'long'"),
        (f"{VALID}pruner: {{warmup_epochs: soon}}", "pruner.warmup_epochs: must be a number or 'auto', got 'soon'"),
        (f"{VALID}training: {{epochs: true}}", "training.epochs: must be a whole number, got True"),
        (f"{VALID}training: fast", "training: must be a mapping of keys, got 'fast'"),
        (f"{VALID}training:\n", "training: must be a mapping of keys, got None"),
        (f"{VALID}training: {{device: 0}}", "training.device: must be text, got 0"),
        (f"{VALID}data: {{fallback: maybe}}", "data.fallback: must be true or false, got 'maybe'"),
        (f"{VALID}model: {{channels: 32}}", "model.channels: must be a list, got 32"),
        # The budget.
        (f"budget: {{}}\n{SEARCH}", "budget.timeout_minutes: must be a number where trials is null"),
        (f"budget:\n{SEARCH}", "budget: must be a mapping of keys, got None"),
        (f"budget: {{trials: 0}}\n{SEARCH}", "budget.trials: must be >= 1, got 0"),
        (f"budget: {{timeout_minutes: 0}}\n{SEARCH}", "budget.timeout_minutes: must be > 0.0, got 0"),
        (f"budget: {{timeout_minutes: .nan}}\n{SEARCH}", "budget.timeout_minutes: must be finite, got nan"),
        # The search space.
        (f"{BUDGET}hyperparameters: {{beta: 1.0}}", NOTHING_SEARCHED),
        (
            f"{BUDGET}model: {{linear_path: true}}\nhyperparameters: {{reconstruction: {{choices: [gaussian, bce]}}}}",
            "hyperparameters: with model.linear_path reconstruction must be gaussian: pPCA is a Gaussian model",
        ),
        # Objectives.
        (f"{VALID}objectives: val_bpd", "objectives: must be a list, got 'val_bpd'"),
        (
            f"{SEARCH}budget: {{patience: 5, trials: 1}}\nsampler: {{name: tpe}}",
            "sampler: must be curves, with one objective, where budget.patience is given: no other predicts scores",
        ),
        (
            f"{SEARCH}budget: {{patience: 5, trials: 1}}\nobjectives: [val_bpd, seconds_per_epoch]",
            "sampler: must be curves, with one objective, where budget.patience is given: no other predicts scores",
        ),
        (f"{SEARCH}budget: {{patience: 0, trials: 1}}", "budget.patience: must be > 0.0, got 0"),
        (f"{VALID}objectives: []", "objectives: must have 1 or more values, got []"),
        (
            f"{VALID}objectives: [val_bpd, mse]",
            "objectives.1: must be 'val_bpd', 'latent_dim' or 'seconds_per_epoch', got 'mse'",
        ),
        (
            f"{VALID}objectives: [seconds_per_epoch, val_bpd]",
            "objectives: must begin with val_bpd, got ['seconds_per_epoch', 'val_bpd']",
        ),
        (f"{VALID}objectives: [val_bpd, val_bpd]", "objectives: must not repeat a value, got ['val_bpd', 'val_bpd']"),
        (
            with_entry("latent_dim: {low: 2, high: 8}") + "objectives: [val_bpd, latent_dim, seconds_per_epoch]",
            "objectives: must have 2 or fewer values, got ['val_bpd', 'latent_dim', 'seconds_per_epoch']",
        ),
        (
            f"{VALID}objectives: [val_bpd, latent_dim]",
            "objectives: must not contain latent_dim, which is fixed: "
            "give hyperparameters.latent_dim a range or choices",
        ),
        # Other sections.
        (
            f"{VALID}model: {{channels: [8]}}",
            "model.channels: must have 2 or more values with architecture linear_skip, got [8]",
        ),
        (
            f"{VALID}model: {{channels: [1, 1, 1, 1, 1, 1]}}",
            "model.channels: must have 5 or fewer values, got [1, 1, 1, 1, 1, 1]",
        ),
        (f"{VALID}model: {{channels: [8, 8, 8, 0]}}", "model.channels.3: must be >= 1, got 0"),
        (
            f"{VALID}model: {{architecture: resnet}}",
            "model.architecture: must be 'plain', 'norm_free' or 'linear_skip', got 'resnet'",
        ),
        (f"{VALID}pruner: {{name: hyperband}}", "pruner.name: must be 'halving', 'median' or 'none', got 'hyperband'"),
        (f"{VALID}seed: -1", "seed: must be >= 0, got -1"),
        (f"{VALID}training: {{report_every: 0}}", "training.report_every: must be >= 0.01, got 0"),
        (f"{VALID}training: {{report_every: 1.5}}", "training.report_every: must be <= 1.0, got 1.5"),
    ],
)
def test_a_fault_is_one_line_with_key_rule_and_value(text: str, line: str) -> None:
    assert faults(text) == [line]


@pytest.mark.parametrize(
    ("text", "key", "nearest"),
    [
        (f"{VALID}budgets: 1", "budgets", "budget"),
        (f"{VALID}pruner: {{warmup: 1}}", "pruner.warmup", "warmup_epochs"),
        (f"{VALID}training: {{epoch: 3}}", "training.epoch", "epochs"),
        (f"{VALID}training: {{report_evry: 0.5}}", "training.report_evry", "report_every"),
        (f"{VALID}data: {{sauce: cifar10}}", "data.sauce", "source"),
        (f"{VALID}retrain: {{epoch: 2}}", "retrain.epoch", "epochs"),
        (f"{VALID}model: {{channel: [1, 1, 1, 1]}}", "model.channel", "channels"),
        (f"budget: {{trials: 3, timeout: 3}}\n{SEARCH}", "budget.timeout", "timeout_minutes"),
    ],
)
def test_an_unknown_key_is_reported_with_the_nearest_valid_key(text: str, key: str, nearest: str) -> None:
    assert faults(text) == [f"{key}: unknown key; did you mean '{nearest}'?"]


def test_an_unknown_key_that_is_near_to_none_is_reported_with_all_valid_keys() -> None:
    keys = "name, startup_trials, warmup_epochs, reduction_factor, rung_spacing"
    assert faults(f"{VALID}pruner: {{xyz: 1}}") == [f"pruner.xyz: unknown key; valid keys: {keys}"]


def test_all_faults_of_a_file_are_reported_at_once() -> None:
    text = """
    name: a/b
    seed: -1
    sead: 1
    data: {source: imagenet, roots: x}
    model: {channels: [1]}
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
        f"data.source: {IMAGES_RULE}, got 'imagenet'",
        "hyperparameters.batch_size.choices: must have 1 or more values, got []",
        "hyperparameters.beta.low: must be > 0 on a log scale, got 0.0",
        "hyperparameters.latent_dim.high: must be greater than low (64), got 16",
        "hyperparameters.learning_rate: must be a number, got '1e-3'",
        "hyperparameters.schedule: must be 'constant', 'cosine' or 'schedule_free', got 'linear'",
        "model.channels: must have 2 or more values with architecture linear_skip, got [1]",
        f"name: {NAME_RULE}, got 'a/b'",
        "pruner.warmup: unknown key; did you mean 'warmup_epochs'?",
        "retrain.epochs: must be a whole number or 'auto', got 'many'",
        "sead: unknown key; did you mean 'seed'?",
        "seed: must be >= 0, got -1",
        "training.device: must be text, got 1",
        "training.epochs: must be >= 1, got 0",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{BUDGET}hyperparameters: {{beta: 1.0}}\nseed: -1", ["must have something to search", "seed: must be"]),
        (f"{VALID}data: {{source: folder, fallback: maybe}}", ["data.root: must name", "data.fallback: must be"]),
    ],
)
def test_a_fault_of_another_key_hides_no_rule_across_keys(text: str, expected: list[str]) -> None:
    lines = "\n".join(faults(text))
    assert [words for words in expected if words not in lines] == []
