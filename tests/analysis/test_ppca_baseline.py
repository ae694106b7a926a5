"""The pPCA baseline of a study: computed once, read afterwards."""

import json
import math
from pathlib import Path

import pytest

from hpo.analysis.ppca_baseline import (
    LinearModel,
    PpcaBaseline,
    compute_ppca_baseline,
    load_ppca_baseline,
    ppca_name,
    ppca_verdict,
    trials_that_beat_ppca,
)
from hpo.analysis.trial_table import trial_rows
from hpo.storage.paths import StudyPaths
from model.data.images import ImageData
from model.scoring.definitions import bits_per_dimension
from model.scoring.ppca import RateDistortion
from tests.tools import synthetic


def test_a_baseline_without_rates_is_read_and_computed_again(tmp_path: Path, data: ImageData) -> None:
    paths = StudyPaths(tmp_path / "small")
    bpd = compute_ppca_baseline(paths, data, 4).bpd
    contents = json.loads(paths.ppca_baseline.read_text())
    older = {name: contents[name] for name in ("digest", "validation_bpd")}
    paths.ppca_baseline.write_text(json.dumps(older))
    baseline = load_ppca_baseline(paths)
    assert baseline is not None and baseline.bpd == pytest.approx(bpd, abs=1e-6) and baseline.curve == {}
    compute_ppca_baseline(paths, data, 4)
    assert json.loads(paths.ppca_baseline.read_text()) == contents


def test_a_baseline_of_more_dimensions_is_read_and_not_written_again(tmp_path: Path, data: ImageData) -> None:
    paths = StudyPaths(tmp_path / "small")
    bpd = compute_ppca_baseline(paths, data, 4).bpd
    written_ns = paths.ppca_baseline.stat().st_mtime_ns
    assert compute_ppca_baseline(paths, data, 3).bpd == pytest.approx(bpd, abs=1e-6)
    assert paths.ppca_baseline.stat().st_mtime_ns == written_ns


def test_equal_scores_do_not_beat_ppca_and_the_advice_depends_on_overfitting() -> None:
    assert ppca_verdict(6.4, 6.5, overfitted=False).is_beaten
    equal = ppca_verdict(6.5, 6.5, overfitted=False)
    assert (equal.is_beaten, equal.text) == (False, "not beaten, behind by 0.0000: the model is undertrained")
    assert equal.advice.startswith("More epochs")
    overfitted = ppca_verdict(6.6, 6.5, overfitted=True)
    assert overfitted.difference == pytest.approx(-0.1) and overfitted.advice.startswith("Fewer epochs")


def test_finished_trials_are_compared_with_ppca_of_their_own_size(tmp_path: Path) -> None:
    opened = synthetic.create(tmp_path)
    for score in (6.0, 7.0):
        synthetic.add_trial(opened, score)
    rows = trial_rows(opened.study, opened.config)
    (latent_dim,) = {row.values["latent_dim"] for row in rows}
    assert trials_that_beat_ppca(rows, PpcaBaseline("", {latent_dim: 6.5}, {})) == {0: True, 1: False}
    assert trials_that_beat_ppca(rows, PpcaBaseline("", {latent_dim + 1: math.inf}, {})) == {}


# Distortions in nats; the rate of 2 dimensions lies half-way between those of 1 and 3.
CURVE = {1: RateDistortion(10.0, -1000.0), 2: RateDistortion(20.0, -1100.0), 3: RateDistortion(30.0, -1060.0)}
BASELINE = PpcaBaseline("", {d: point.bpd for d, point in CURVE.items()}, CURVE)


def test_the_best_linear_model_of_a_longer_code_lies_within_the_range() -> None:
    assert BASELINE.best_model(1, 3) == LinearModel(2, bits_per_dimension(-1100.0, 20.0))
    assert BASELINE.best_model(2, 3) == LinearModel(3, bits_per_dimension(-1060.0, 30.0))
    assert BASELINE.best_model(3, 3) is None
    assert PpcaBaseline("", {}, {}).best_model(1, 3) is None


def test_linear_models_that_few_images_do_not_determine_are_left_out() -> None:
    scores = [(d, bpd) for d, bpd in BASELINE.bpd.items()]
    assert BASELINE.different_models(3, n_train=29) == scores[:2]
    assert BASELINE.different_models(1, n_train=10_000) == scores[:1]


@pytest.mark.parametrize(
    ("rate_nats", "latent_dim", "distortion_nats"), [(10.0, 1, -1000.0), (24.0, 2, -1084.0), (30.0, 3, -1060.0)]
)
def test_the_linear_model_at_a_rate_lies_between_its_neighbours(
    rate_nats: float, latent_dim: int, distortion_nats: float
) -> None:
    linear = BASELINE.model_at_rate(rate_nats)
    assert linear is not None and linear.latent_dim == latent_dim
    assert linear.bpd == pytest.approx(bits_per_dimension(distortion_nats, rate_nats))


def test_no_linear_model_has_a_rate_beyond_the_curve() -> None:
    assert BASELINE.model_at_rate(9.9) is BASELINE.model_at_rate(30.1) is None


def test_a_linear_model_of_few_images_is_called_by_the_dimensions_that_it_has() -> None:
    assert ppca_name(128, 45_000) == "probabilistic PCA with 128 dimensions"
    assert ppca_name(128, 305) == "probabilistic PCA with 30 dimensions (a tenth of the 305 training images)"
    assert ppca_name(3072, 45_000) == "probabilistic PCA with 3071 dimensions"
    assert ppca_name(1, 45_000) == "probabilistic PCA with 1 dimension"
