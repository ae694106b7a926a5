"""Results of a study: the confirmed choice, the first configuration, and the command that comes next."""

from pathlib import Path

from hpo.analysis.findings import findings, next_command
from hpo.analysis.ppca_baseline import NO_BASELINE, PpcaBaseline
from hpo.analysis.results import study_results
from hpo.analysis.status import status_of
from hpo.cli.commands.show.status import status_lines
from model.scoring.definitions import nats_at_score
from model.scoring.ppca import RateDistortion
from tests.tools import synthetic


def test_the_first_configuration_includes_the_trial_that_continues_it(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path, file={"pruner": {"name": "halving"}})
    synthetic.add_trial(opened, 7.5, 7.4, end="pruned at epoch 1: 7.4000, place 1 of 1")
    synthetic.add_trial(opened, *[7.3] * 5, 6.9)
    synthetic.add_trial(opened, *[7.4] * 5, 6.8, continues=0)
    results = study_results(opened.study, opened.config, NO_BASELINE)
    assert results is not None
    assert (results.best.number, results.first.number, results.first_is_best) == (2, 2, True)


def test_the_confirmed_trial_is_the_best_and_the_luckier_one_is_named(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path, file={"confirmation": {"top": 2, "seeds": 1}})
    synthetic.add_trial(opened, *[7.3] * 5, 6.6)
    synthetic.add_trial(opened, *[7.3] * 5, 6.7)
    synthetic.add_trial(opened, *[7.3] * 5, 6.9, confirms=0)
    synthetic.add_trial(opened, *[7.3] * 5, 6.75, confirms=1)
    results = study_results(opened.study, opened.config, NO_BASELINE)
    assert results is not None and results.luckier is not None
    assert (results.best.number, results.best.confirmation_scores) == (1, (6.75,))
    assert (results.luckier.number, results.n_finished) == (0, 2)
    assert "Confirmed with a new seed: 6.7500" in findings(opened.study, opened.config, NO_BASELINE, opened.paths)


def test_the_luckier_trial_is_named_also_where_the_best_has_no_new_seeds(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path, file={"confirmation": {"top": 2, "seeds": 1}})
    synthetic.add_trial(opened, *[7.3] * 5, 6.6)
    synthetic.add_trial(opened, *[7.3] * 5, 6.9, confirms=0)
    synthetic.add_trial(opened, *[7.3] * 5, 6.7)
    lines = findings(opened.study, opened.config, NO_BASELINE, opened.paths)
    assert any(line.startswith("Best: trial 2, val_bpd 6.7000") for line in lines)
    assert "Trial 0 scored 6.6000, which new seeds have not confirmed" in lines


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
    lines = findings(opened.study, opened.config, NO_BASELINE, opened.paths)
    assert any(line.startswith("1 of 2 trials paused at a rung; ") for line in lines)
    assert "Trial 2 was interrupted after 1 reports; the next call resumes it" in lines


def linear_baseline(**bpd_by_latent_dim: float) -> PpcaBaseline:
    """A baseline with scores of d16, d128, ..., and a rate of d nats."""
    scores = {int(name[1:]): bpd for name, bpd in bpd_by_latent_dim.items()}
    curve = {d: RateDistortion(float(d), nats_at_score(bpd) - d) for d, bpd in scores.items()}
    return PpcaBaseline("", scores, curve)


def test_linear_models_are_compared_by_size_by_rate_and_within_the_range(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path)
    synthetic.add_trial(opened, *[7.3] * 5, 6.6, values={"latent_dim": 128}, val_rate_nats=72.0)
    lines = findings(opened.study, opened.config, linear_baseline(d16=6.9, d128=6.7, d256=6.5, d300=6.4), opened.paths)
    assert "Probabilistic PCA with 128 dimensions: 6.7000, beaten by 0.1000" in lines
    assert "Probabilistic PCA at the same rate, 72 nats, has 72 dimensions: 6.8000, beaten by 0.2000" in lines
    assert (
        "A linear model with a longer code, within this study's range, is better: probabilistic PCA with 256 "
        "dimensions: 6.5000, ahead by 0.1000"
    ) in lines
    for others in (linear_baseline(d16=6.9, d128=6.7, d256=6.65), linear_baseline(d16=6.5, d128=6.5, d300=6.4)):
        assert not any("longer code" in line for line in findings(opened.study, opened.config, others, opened.paths))


def test_without_a_baseline_no_line_names_a_linear_model(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path)
    synthetic.add_trial(opened, *[7.3] * 5, 6.6)
    assert not any("PCA" in line for line in findings(opened.study, opened.config, NO_BASELINE, opened.paths))


def test_the_shortest_code_near_the_best_is_named_and_the_longest_is_no_edge_to_widen(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path)
    for latent_dim, score in ((256, 6.5), (64, 6.56), (128, 6.548), (128, 6.54)):
        synthetic.add_trial(opened, *[7.3] * 5, score, values={"latent_dim": latent_dim, "beta": 0.3})
    lines = findings(opened.study, opened.config, NO_BASELINE, opened.paths)
    assert "Shortest code within 0.05 of the best: 128 dimensions, trial 3, 6.5400" in lines
    assert any(line.startswith("The best has nearly the longest code that is allowed") for line in lines)
    assert _edge_line("beta") in lines


def test_a_search_for_short_codes_is_not_told_to_be_one(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path, file={"objectives": ["val_bpd", "latent_dim"]})
    synthetic.add_trial(opened, *[7.3] * 5, 6.5, values={"latent_dim": 256})
    lines = findings(opened.study, opened.config, NO_BASELINE, opened.paths)
    assert not any("longest code" in line or "At the edge" in line for line in lines)


def test_the_shortest_allowed_code_is_an_edge_and_no_code_is_shorter(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path)
    synthetic.add_trial(opened, *[7.3] * 5, 6.5, values={"latent_dim": 16})
    synthetic.add_trial(opened, *[7.3] * 5, 6.51, values={"latent_dim": 16})
    lines = findings(opened.study, opened.config, NO_BASELINE, opened.paths)
    assert _edge_line("latent_dim") in lines
    assert not any("code" in line for line in lines)


def _edge_line(name: str) -> str:
    return f"At the edge of its range: {name}. To search beyond it, widen the range in the file and tune again"
