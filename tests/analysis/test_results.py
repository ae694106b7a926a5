"""Results of a study: the confirmed choice, the first configuration, and the command that comes next."""

from pathlib import Path

from hpo.analysis.results import findings, next_command, study_results
from hpo.analysis.status import status_of
from hpo.cli.commands.status import status_lines
from tests.tools import synthetic


def test_the_first_configuration_includes_the_trial_that_continues_it(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path, file={"pruner": {"name": "halving"}})
    synthetic.add_trial(opened, 7.5, 7.4, end="pruned at epoch 1: 7.4000, place 1 of 1")
    synthetic.add_trial(opened, *[7.3] * 5, 6.9)
    synthetic.add_trial(opened, *[7.4] * 5, 6.8, continues=0)
    results = study_results(opened.study, opened.config, {})
    assert results is not None
    assert (results.best.number, results.first.number, results.first_is_best) == (2, 2, True)


def test_the_confirmed_trial_is_the_best_and_the_luckier_one_is_named(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path, file={"confirmation": {"top": 2, "seeds": 1}})
    synthetic.add_trial(opened, *[7.3] * 5, 6.6)
    synthetic.add_trial(opened, *[7.3] * 5, 6.7)
    synthetic.add_trial(opened, *[7.3] * 5, 6.9, confirms=0)
    synthetic.add_trial(opened, *[7.3] * 5, 6.75, confirms=1)
    results = study_results(opened.study, opened.config, {})
    assert results is not None and results.luckier is not None
    assert (results.best.number, results.best.confirmation_scores) == (1, (6.75,))
    assert (results.luckier.number, results.n_finished) == (0, 2)
    assert "Confirmed with a new seed: 6.7500" in findings(opened.study, opened.config, {})


def test_missing_confirmations_come_next(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path, file={"confirmation": {"top": 1, "seeds": 2}, "budget": {"trials": 1}})
    synthetic.add_trial(opened, *[7.3] * 5, 6.6)
    synthetic.add_trial(opened, *[7.3] * 5, 6.9, confirms=0)
    missing = "Next: make tune STUDY=small to confirm the best (1 of 2 new seeds are missing)"
    status = status_of(opened.study, opened.config, opened.paths)
    assert status_lines(status, opened.config, "small")[-1].startswith(missing)
    assert next_command(opened.study, opened.config, "small").startswith(missing)
    synthetic.add_trial(opened, *[7.3] * 5, 6.7, confirms=0)
    assert next_command(opened.study, opened.config, "small").startswith("Next: make best-retrain STUDY=small   (")


def test_paused_and_interrupted_trials_are_counted_apart(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path, file={"pruner": {"name": "halving"}})
    synthetic.add_trial(opened, *[7.3] * 5, 6.6)
    synthetic.add_trial(opened, 7.5, 7.4, end="pruned at epoch 1: 7.4000, place 2 of 2")
    synthetic.add_trial(opened, 7.5, end="running")
    lines = findings(opened.study, opened.config, {})
    assert any(line.startswith("1 of 2 trials paused at a rung; ") for line in lines)
    assert "Trial 2 was interrupted after 1 reports; the next call resumes it" in lines
