"""Entries of `hyperparameters:` in a study file: values, ranges and choices, and a message for every fault."""

from typing import Any

import pytest

from hpo.config.hyperparameters import TUTORIAL
from tests.config.study_file_texts import VALID, faults, read, with_entry

pytestmark = pytest.mark.usefixtures("empty_checkout")


def test_an_entry_that_is_left_out_has_the_default_of_a_run() -> None:
    hyperparameters = read(VALID).hyperparameters
    fixed = {name: value for name, value in hyperparameters.entries().items() if name != "beta"}
    assert fixed == {name: getattr(TUTORIAL, name) for name in fixed}


@pytest.mark.parametrize(
    ("entry", "largest"), [("64", 64), ("{low: 16, high: 256}", 256), ("{choices: [256, 64, 128]}", 256)]
)
def test_the_largest_value_of_an_entry_is_its_upper_end(entry: str, largest: Any) -> None:
    assert read(with_entry(f"batch_size: {entry}")).hyperparameters.largest("batch_size") == largest


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        # Nothing is converted.
        ("beta: '1.0'", "beta: must be a number, got '1.0'"),
        ("beta: true", "beta: must be a number, got True"),
        ("beta: [1, 2]", "beta: must be a number, got [1, 2]"),
        ("batch_size: 64.5", "batch_size: must be a whole number, got 64.5"),
        ("latent_dim: {choices: ['64', 128]}", "latent_dim.choices.0: must be a whole number, got '64'"),
        ("beta: {low: 1, high: 2, log: 1}", "beta.log: must be true or false, got 1"),
        # Values.
        ("batch_size: 1", "batch_size: must be >= 2, got 1"),
        ("schedule: linear", "schedule: must be 'constant', 'cosine' or 'schedule_free', got 'linear'"),
        ("learning_rate: .inf", "learning_rate: must be finite, got inf"),
        ("beta: .nan", "beta: must be finite, got nan"),
        ("beta: NaN", "beta: must be a number, got 'NaN'"),
        # Ranges.
        ("beta: {low: 0.0, high: 1.0, log: true}", "beta.low: must be > 0 on a log scale, got 0.0"),
        ("latent_dim: {low: 64, high: 16}", "latent_dim.high: must be greater than low (64), got 16"),
        ("latent_dim: {low: 64, high: 64}", "latent_dim.high: must be greater than low (64), got 64"),
        ("latent_dim: {low: 1, high: 4000}", "latent_dim.high: must be <= 3072, got 4000"),
        ("beta: {low: -1, high: 1}", "beta.low: must be >= 0.0, got -1"),
        ("beta: {low: 1}", "beta.high: is missing"),
        ("beta: {low: 0, high: .inf}", "beta.high: must be finite, got inf"),
        ("beta: {low: .nan, high: 1}", "beta.low: must be finite, got nan"),
        # Choices.
        ("batch_size: {choices: []}", "batch_size.choices: must have 1 or more values, got []"),
        ("batch_size: {choices: 64}", "batch_size.choices: must be a list, got 64"),
        ("batch_size: {choices: [64, 128, 64]}", "batch_size.choices: must not repeat a value, got [64, 128, 64]"),
        ("beta: {choices: [1, 1.0]}", "beta.choices: must not repeat a value, got [1, 1.0]"),
        (
            "schedule: {choices: [constant, linear]}",
            "schedule.choices.1: must be 'constant', 'cosine' or 'schedule_free', got 'linear'",
        ),
        (
            "beta: {choices: [1, 2], low: 1}",
            "beta.low: cannot be combined with choices; give low and high, or choices",
        ),
        # Unknown keys.
        ("latent: 3", "latent: unknown key; did you mean 'latent_dim'?"),
        ("beta: {low: 1, high: 2, logg: true}", "beta.logg: unknown key; did you mean 'log'?"),
        ("schedule: {choices: [cosine], choises: 1}", "schedule.choises: unknown key; did you mean 'choices'?"),
    ],
)
def test_a_fault_of_an_entry_is_one_line_with_key_rule_and_value(entry: str, fault: str) -> None:
    assert faults(with_entry(entry)) == [f"hyperparameters.{fault}"]
