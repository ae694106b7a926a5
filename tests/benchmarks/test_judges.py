"""Judges of other kinds, and the searches before them."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from scipy.stats import spearmanr

from benchmarks.search import judged, judgements, page
from benchmarks.search.configurations import Configuration, by_configuration, features
from benchmarks.search.gaussian_process import Array
from benchmarks.search.judged import JUDGES
from benchmarks.search.judgements import Judged, read_judged
from benchmarks.search.judges.gp_samples import GPSamples
from benchmarks.search.judges.judge import Judge
from benchmarks.search.judges.neighbours import N_NEIGHBOURS, Neighbours
from benchmarks.search.methods import PARTS
from benchmarks.search.protocol import Values
from benchmarks.search.table import N_EPOCHS
from tests.tools.synthetic_curves import NOISE, SPACE, configurations, table, timings, true_curve

TABLE = by_configuration(table(60))
NOISE_E = np.full(N_EPOCHS, NOISE**2)
NEW = configurations(40, seed=1)


@pytest.fixture(scope="module", params=JUDGES)
def judge(request: pytest.FixtureRequest) -> Judge:
    return JUDGES[request.param](TABLE, NOISE_E)


def curves_of(drawn: Callable[[Values], Array]) -> Array:
    return np.array([drawn(values) for values in NEW])


def test_a_judge_ranks_configurations_that_it_does_not_know(judge: Judge) -> None:
    found = curves_of(judge.draw(0))
    true = np.array([true_curve(values) for values in NEW])
    assert found.shape == true.shape
    for epoch in (0, N_EPOCHS - 1):
        assert spearmanr(found[:, epoch], true[:, epoch]).statistic > 0.7


def test_a_repetition_always_draws_the_same_curves(judge: Judge) -> None:
    first, again, other = (curves_of(judge.draw(repetition)) for repetition in (3, 3, 4))
    assert np.array_equal(first, again)
    assert isinstance(judge, Neighbours) == np.array_equal(first, other)


def test_where_the_nearest_configuration_diverged_a_judge_scores_the_worst(judge: Judge) -> None:
    with_diverged = [
        Configuration(each.values, np.empty((0, N_EPOCHS))) if each.values["learning_rate"] > 5e-3 else each
        for each in TABLE
    ]
    drawn = type(judge).fit(with_diverged, NOISE_E).draw(0)  # type: ignore[attr-defined]
    worst = np.max([each.mean_E for each in with_diverged if not each.diverged], axis=0)
    assert drawn({"beta": 1.0, "latent_dim": 128, "batch_size": 32, "learning_rate": 9.5e-3}) == pytest.approx(worst)
    assert (drawn({"beta": 1.0, "latent_dim": 128, "batch_size": 32, "learning_rate": 2e-3}) < worst).all()


def test_draws_of_the_process_are_spread_around_its_mean_as_it_is_uncertain() -> None:
    few = GPSamples.fit(TABLE[:12], NOISE_E)
    scaled, processes = few.scaled, few.processes
    draws = [processes.draw(np.random.default_rng(seed)) for seed in range(150)]
    for values in NEW[:4]:
        found = np.array([drawn(scaled.point(values)) for drawn in draws])
        assert found.mean(0) == pytest.approx(processes(scaled.point(values)), abs=4 * found.std(0).max() / 150**0.5)
        assert np.corrcoef(found[:, -2], found[:, -1])[0, 1] > 0.9, "epochs go together"
    known, new = (np.std([drawn(scaled.point(values))[-1] for drawn in draws]) for values in (TABLE[0].values, NEW[0]))
    assert known < 0.5 * new


def test_neighbours_weigh_less_the_farther_they_are() -> None:
    judge = Neighbours.fit(TABLE, NOISE_E)
    scaled, values = judge.scaled, NEW[0]
    distances = np.linalg.norm(scaled.points_NF - (features(values) - scaled.center_F) / scaled.scale_F, axis=1)
    nearest = np.argsort(distances)
    weights = 1 - distances[nearest[:N_NEIGHBOURS]] / distances[nearest[N_NEIGHBOURS]]
    logarithms = [np.log(TABLE[index].mean_E - scaled.floor_E) for index in nearest[:N_NEIGHBOURS]]
    expected = np.exp(np.average(logarithms, axis=0, weights=weights)) + scaled.floor_E
    assert judge.draw(0)(values) == pytest.approx(expected)


def test_every_method_stands_before_every_judge_and_the_page_tells_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    parts = {name: PARTS[name] for name in ("promotion_random", "promotion_tpe")}
    for name, value in (
        ("CIFAR10", SimpleNamespace(read=lambda: table(30), space=SPACE)),
        ("read_timings", timings),
        ("COMPARED", parts),
        ("LIMIT", 4.0),
    ):
        monkeypatch.setattr(judged, name, value)
    monkeypatch.setattr(judgements, "JUDGED", tmp_path / "judges.json")
    told_in = tmp_path / "SEARCH.md"
    told_in.write_text("# Title\n\n## Judges of three kinds\n\nold\n\n## For real\n\npairs\n")
    monkeypatch.setattr("benchmarks.search.page.replace_judged.__defaults__", (told_in,))
    monkeypatch.setattr("benchmarks.search.replays.replay.__defaults__", (tmp_path / "cache.jsonl", 1))
    judged.main(repetitions=2, processes=1)
    found = read_judged()
    assert [(each.judge, each.method, each.n_repetitions) for each in found] == [
        (name, method, 2) for name in JUDGES for method in parts
    ]
    assert all(0 <= each.n_reached <= 2 and 0 < each.to_target[0] <= each.to_target[2] <= 4.0 for each in found)
    n_lines = len((tmp_path / "cache.jsonl").read_text().splitlines())
    assert n_lines == 2 * len(parts) * len(JUDGES)
    judged.main(repetitions=2, processes=1)
    assert read_judged() == found and len((tmp_path / "cache.jsonl").read_text().splitlines()) == n_lines
    assert capsys.readouterr().out.count("of 2 reached the target") == 2 * len(found)
    judged.main(repetitions=1, processes=1, methods=["promotion_tpe"])
    kept = [each for each in found if each.method == "promotion_random"]
    assert [each for each in read_judged() if each.n_repetitions == 2] == kept, "other methods' entries are kept"
    assert [each.judge for each in read_judged()] == [name for name in JUDGES for _ in parts]
    told = told_in.read_text()
    assert told.startswith("# Title\n\n## Judges of") and told.endswith("|\n\n## For real\n\npairs\n")
    assert "old" not in told and told.count("promotion_tpe | ") == len(JUDGES) and "of 1 |" in told


def test_a_judged_method_is_one_of_those_that_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(typer.BadParameter, match=r"must be one of .*smac.* but got smc"):
        judged.main(methods=["ours", "smc"])
    monkeypatch.setattr(judged, "find_spec", lambda _: None)
    with pytest.raises(typer.BadParameter, match=r"needs other packages; .*make .peer-packages"):
        judged.main(methods=["smac"])


def test_the_page_tells_what_the_judges_found_and_names_other_packages_searches() -> None:
    of_smac = Judged("random forest", "smac", 20, 12, (5.0, 9.0, 30.0), (0.01, 0.02, 0.03))
    assert "\n- *smac*: SMAC3's MultiFidelityFacade, Hyperband with a random forest; of" in page._judged_told([of_smac])
    told = page._judged_told([Judged("random forest", "ours", 20, 12, (5.0, 9.0, 30.0), (0.01, 0.02, 0.03))])
    assert "smac" not in told
    assert "| random forest | ours | 12 of 20 | 9.0 (5.0, ≥ 30.0) | 0.0200 (0.0100, 0.0300) |" in told
