"""Importances of hyperparameters: from finished trials alone, and only if there are enough of them."""

from pathlib import Path

import pytest

from hpo.analysis.importances import Importances, find_importances
from hpo.analysis.trial_table import trial_rows
from tests.tools import synthetic


def test_importances_use_finished_trials_alone(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path)
    synthetic.add_search(opened, 30, pictures=False)
    n_finished = sum(row.kind == "finished" for row in trial_rows(opened.study, opened.config))
    importances = find_importances(opened.study, n_finished)
    assert importances is not None and (importances.n_top, importances.n_finished) == (5, n_finished)
    assert sum(importances.shares.values()) == pytest.approx(1)
    synthetic.add_trial(opened, 5.0, end="pruned at epoch 0.5", values={"batch_size": 256})
    assert find_importances(opened.study, n_finished) == importances


def test_importances_find_the_hyperparameter_that_decides(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path)
    for number in range(40):
        values = {"beta": 0.3 + number / 20, "latent_dim": 16 + 7 * number % 200}
        synthetic.add_trial(opened, 6.0 + number / 40, values=values)
    importances = find_importances(opened.study, 40)
    assert importances is not None and max(importances.shares, key=lambda name: importances.shares[name]) == "beta"


def test_fewer_than_ten_finished_trials_have_no_importances(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path)
    for number in range(9):
        synthetic.add_trial(opened, 6.5 + number, values={"beta": 0.5 + number / 10})
    assert find_importances(opened.study, 9) is None
    synthetic.add_trial(opened, 6.25)
    assert isinstance(find_importances(opened.study, 10), Importances)
