"""Searches are replayed as they would run: simulated time and others' rules by hand, the surrogate by its errors."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import typer
from numpy.typing import NDArray
from optuna.pruners import MedianPruner
from optuna.samplers import RandomSampler
from optuna.trial import TrialState
from scipy.stats import binom
from typer.testing import CliRunner, Result

from benchmarks.search import replay as command
from benchmarks.search.gaussian_process import _fit_one, fit
from benchmarks.search.held_out import held_out, rank_correlations
from benchmarks.search.live_pairs import Search, rows
from benchmarks.search.methods import METHODS, OURS
from benchmarks.search.optuna_search import OptunaSearch
from benchmarks.search.page import Results, numbers, text, write
from benchmarks.search.protocol import Job, Values
from benchmarks.search.ray_asha import RayAsha
from benchmarks.search.replays import HORIZON, LIMIT, Ground, Task, quiet, replay
from benchmarks.search.simulator import Budget, Point, Trace, simulate
from benchmarks.search.summary import Interval, quartiles, ratio_of_medians, regrets, to_target
from benchmarks.search.surrogate import TOLERANCE, Surrogate
from benchmarks.search.table import N_EPOCHS, Curve
from benchmarks.search.top_k import OneEpochTopK
from tests.tools.synthetic_curves import NOISE, SHARED, SPACE, configurations, table, timings, true_curve, true_seconds

quiet()

# The simulator: curves and seconds of an epoch for configurations "a" and "b", the last score being the true one.

CURVES = {"a": (3.0, 2.0, 1.5), "b": (2.5, 1.75, 1.0)}
SECONDS = {"a": 10.0, "b": 16.0}
A, B = Job(0, {"x": "a"}), Job(1, {"x": "b"})


class Looked:
    """An objective that is looked up."""

    target = 1.25

    def curve(self, values: Values, seed: int) -> NDArray[np.float64]:
        """Of configuration x."""
        return np.array(CURVES[values["x"]])

    def seconds(self, values: Values) -> float:
        """Of configuration x."""
        return SECONDS[values["x"]]

    def final(self, values: Values) -> float:
        """Of configuration x."""
        return CURVES[values["x"]][-1]


@dataclass
class Scripted:
    """Hands out what it is given; stops a run the first time that it is at one of these (key, epoch)."""

    jobs: list[Job | None]
    stops: list[tuple[int, int]] = field(default_factory=list)
    heard: list[tuple[int, int, int, float]] = field(default_factory=list)

    def next(self) -> Job | None:
        """The next of the script."""
        return self.jobs.pop(0) if self.jobs else None

    def report(self, job: Job, epoch: int, val_bpd: float) -> bool:
        """Note it."""
        self.heard.append((job.key, job.seed, epoch, val_bpd))
        return (job.key, epoch) in self.stops

    def incumbent(self) -> Values | None:
        """The best after all epochs."""
        whole = [(val_bpd, key) for key, _, epoch, val_bpd in self.heard if epoch == 3]
        return {0: A, 1: B}[min(whole)[1]].values if whole else None


def ticking(step_s: float) -> Callable[[], float]:
    """A clock on which every call of `next` takes so long."""
    ticks = count()
    return lambda: step_s * next(ticks)


def run(search: Scripted, budget: Budget, n_workers: int = 1, sampler_s: float = 0.0) -> Trace:
    return simulate(search, Looked(), budget, n_workers, ticking(sampler_s))


def test_one_worker_trains_one_after_the_other() -> None:
    trace = run(Scripted([A, B]), Budget(1000))
    assert trace.points == (Point(30, 30, 0.25), Point(78, 78, -0.25))
    assert (trace.elapsed_s, trace.compute_s) == (78, 78)
    assert trace.reached == trace.points[1]


def test_two_workers_train_side_by_side() -> None:
    trace = run(Scripted([A, B]), Budget(1000), n_workers=2)
    # When a ends, b has had one epoch, which took 16 s.
    assert trace.points == (Point(30, 46, 0.25), Point(48, 78, -0.25))


def test_what_the_sampler_takes_is_on_its_workers_clock_and_in_the_compute() -> None:
    trace = run(Scripted([A, B]), Budget(1000), n_workers=2, sampler_s=1.0)
    # Both ask at once, for a second each; then the first asks in vain, at 31 s and 33 s.
    assert trace.points == (Point(31, 2 + 30 + 16, 0.25), Point(49, 2 + 78 + 2, -0.25))


def test_a_paused_run_continues_from_its_last_epoch() -> None:
    search = Scripted([A, B, A], stops=[(0, 1)])
    trace = run(search, Budget(1000))
    assert search.heard == [
        (0, 0, 1, 3.0),
        *((1, 0, epoch, CURVES["b"][epoch - 1]) for epoch in (1, 2, 3)),
        *((0, 0, epoch, CURVES["a"][epoch - 1]) for epoch in (2, 3)),
    ]
    assert trace.compute_s == 3 * 10 + 3 * 16


def test_another_training_seed_is_another_run_from_its_start() -> None:
    search = Scripted([A, replace(A, seed=1)])
    assert run(search, Budget(1000)).compute_s == 2 * 3 * 10
    assert [(seed, epoch) for _, seed, epoch, _ in search.heard] == [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2), (1, 3)]


def test_a_worker_without_work_is_asked_again_after_the_next_report() -> None:
    trace = run(Scripted([A, None, B]), Budget(1000), n_workers=2)
    # b begins when a's first epoch ends.
    assert trace.points[-1] == Point(10 + 48, 78, -0.25)


def test_a_simulation_ends_with_the_epoch_that_reaches_the_limit() -> None:
    trace = run(Scripted([A, B]), Budget(35))
    assert trace.compute_s == 30 + 16
    assert trace.reached is None


def test_a_search_that_reached_the_target_continues_to_the_horizon() -> None:
    jobs: list[Job | None] = [B, *(replace(A, seed=seed) for seed in range(9))]
    ends = [run(Scripted(list(jobs)), Budget(200, horizon_s)).compute_s for horizon_s in (0, 60, 1000)]
    assert ends == [48, 68, 208]


# The searches


def keys(search: OneEpochTopK, n: int) -> list[int | None]:
    return [None if job is None else job.key for job in (search.next() for _ in range(n))]


def test_one_epoch_top_k_finishes_the_best_in_order_and_then_starts_another_round() -> None:
    search = OneEpochTopK(SPACE, 0, n=4, k=2)
    jobs = [job for job in (search.next() for _ in range(4)) if job]
    assert [job.key for job in jobs] == [0, 1, 2, 3]
    assert [search.report(job, 1, score) for job, score in zip(jobs[:3], (5.0, 3.0, 4.0), strict=True)] == [True] * 3
    assert keys(search, 1) == [None]
    assert search.report(jobs[3], 1, 6.0)
    assert keys(search, 3) == [1, 2, 4]
    assert search.incumbent() is None
    assert not search.report(jobs[1], 2, 2.9)
    search.report(jobs[1], N_EPOCHS, 2.8)
    search.report(jobs[2], N_EPOCHS, 2.7)
    assert search.incumbent() == jobs[2].values


def asha(*first_epochs: float) -> list[bool]:
    """Whether each of these trials stops at the first rung."""
    search = RayAsha(SPACE, 0, reduction_factor=3)
    return [search.report(search._asked.ask(), 1, score) for score in first_epochs]


def test_ray_asha_passes_the_first_and_then_the_best_third_of_those_before() -> None:
    # Cutoffs by hand, numpy's linear percentile of what was recorded: 5.0; then, of (5.5, 5.0), two thirds of the way
    # from the worst, 5.1667; then, of (5.5, 5.0, 4.8), a third of the way from 5.0 to 4.8, 4.9333.
    assert asha(5.0, 5.5, 4.8, 4.93) == [False, True, False, False]
    assert asha(5.0, 5.5, 5.16) == [False, True, False]
    assert asha(5.0, 5.5, 5.17) == [False, True, True]
    assert asha(5.0, 5.5, 4.8, 4.94) == [False, True, False, True]


def test_ray_asha_decides_at_powers_of_three_alone() -> None:
    decided = []
    for epoch in range(1, N_EPOCHS):
        search = RayAsha(SPACE, 0, reduction_factor=3)
        good, bad = search._asked.ask(), search._asked.ask()
        search.report(good, epoch, 4.0)
        decided += [epoch] * search.report(bad, epoch, 5.0)
    assert decided == [epoch for epoch in (1, 3, 9) if epoch < N_EPOCHS]


def test_a_trial_that_ray_asha_stops_is_complete_with_its_last_score() -> None:
    search = RayAsha(SPACE, 0, reduction_factor=3)
    for score in (5.0, 5.5):
        search.report(search._asked.ask(), 1, score)
    assert [(trial.state, trial.value) for trial in search._asked.study.get_trials(states=[TrialState.COMPLETE])] == [
        (TrialState.COMPLETE, 5.5)
    ]


def test_a_trial_that_optunas_pruner_stops_is_pruned_and_is_no_incumbent() -> None:
    search = OptunaSearch(SPACE, RandomSampler(0), MedianPruner(n_startup_trials=1))
    whole, pruned = search._asked.ask(), search._asked.ask()
    assert [search.report(whole, epoch, 5.0) for epoch in range(1, N_EPOCHS + 1)] == [False] * N_EPOCHS
    assert search.report(pruned, 1, 5.1)
    assert [trial.state for trial in search._asked.study.trials] == [TrialState.COMPLETE, TrialState.PRUNED]
    assert search.incumbent() == whole.values


def test_the_methods_that_the_numbers_are_promised_for_are_there() -> None:
    promised = "random random_2x tpe tpe_median tpe_hyperband tpe_sha gp one_epoch_top_k ray_asha"
    assert set(METHODS) - {OURS} == set(promised.split())


@pytest.mark.parametrize("name", METHODS)
def test_every_method_gets_better_on_the_surrogate(name: str, surrogate: Surrogate) -> None:
    budget = Budget(15 * surrogate.full_length_s)
    trace = simulate(METHODS[name].make(1, SPACE), surrogate, budget, 2)
    assert trace.compute_s >= budget.limit_s
    assert trace.points[-1].above_target < trace.points[0].above_target


# The surrogate

N_CONFIGURATIONS = 100


@pytest.fixture(scope="module")
def curves() -> list[Curve]:
    return table(N_CONFIGURATIONS)


@pytest.fixture(scope="module")
def surrogate(curves: list[Curve]) -> Surrogate:
    return Surrogate.fit(curves, timings())


def test_the_surrogate_predicts_what_it_was_not_fitted_to(curves: list[Curve], surrogate: Surrogate) -> None:
    errors = [surrogate.mean(values) - true_curve(values) for values in configurations(50, seed=1)]
    measured = np.sqrt(np.mean(np.square(errors), axis=0))
    # 0.008 at most was measured; scores vary by 0.5.
    assert measured.max() < 0.02


def test_held_out_errors_are_what_they_are_for_new_configurations(curves: list[Curve]) -> None:
    first, last = held_out(curves, (1, N_EPOCHS))
    assert (first.epoch, last.epoch) == (1, N_EPOCHS)
    for errors in (first, last):
        # Not below the noise of what they are measured against, most of it of one seed.
        assert 0.7 * NOISE < errors.of_best_quarter < 0.025
        assert errors.rank_correlation > 0.99


def test_ranks_after_one_epoch_are_like_those_at_the_end_but_not_the_same(curves: list[Curve]) -> None:
    found = rank_correlations(curves)
    assert 0.4 < found[0][0] < 0.9 and 0.3 < found[0][1] < 0.9
    assert found[0][0] != found[0][1] and found[-1] == pytest.approx((1.0, 1.0))
    for of_group in zip(*found, strict=True):
        assert of_group[0] < of_group[3] <= of_group[-1]


def test_predictions_are_those_of_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    points, new = generator.normal(size=(30, 3)), generator.normal(size=(5, 3))
    y = np.stack([np.sin(points[:, 0]) + points[:, 1], points[:, 2] ** 2], axis=1)
    noise = np.full(y.shape, 1e-4)
    fitted = fit(points, y, noise)
    for e in range(2):
        scale = y[:, e].std()
        theirs = _fit_one(points, (y[:, e] - y[:, e].mean()) / scale, noise[:, e] / scale**2).predict(new)
        # Near 1e-8 of a nearly singular kernel is rounding, which depends on the processor.
        assert [fitted(x)[e] for x in new] == pytest.approx(theirs * scale + y[:, e].mean(), abs=1e-6)


def test_a_prediction_takes_less_than_a_millisecond(surrogate: Surrogate) -> None:
    found = configurations(100, seed=2)
    began = time.process_time()
    for values in found:
        surrogate.mean(values)
    assert time.process_time() - began < 0.1


def test_asking_for_a_curve_again_gives_the_same_and_other_seeds_and_repetitions_do_not(surrogate: Surrogate) -> None:
    values, other = configurations(2, seed=1)
    curve = surrogate.curve(values, 0)
    assert np.array_equal(surrogate.curve(dict(values), 0), curve)
    assert np.array_equal(replace(surrogate, repetition=0).curve(values, 0), curve)
    paths = [
        curve - surrogate.mean(values),
        surrogate.curve(values, 1) - surrogate.mean(values),
        replace(surrogate, repetition=1).curve(values, 0) - surrogate.mean(values),
        surrogate.curve(other, 0) - surrogate.mean(other),
    ]
    assert np.abs(np.corrcoef(paths) - np.eye(4)).max() < 0.999


def test_curves_of_many_seeds_vary_as_the_noise_was_estimated(surrogate: Surrogate) -> None:
    values = configurations(1, seed=1)[0]
    curves = np.array([surrogate.curve(values, seed) for seed in range(2000)])
    assert curves.mean(0) == pytest.approx(surrogate.mean(values), abs=4 * NOISE / 2000**0.5)
    assert np.cov(curves.T) == pytest.approx(surrogate.noise.covariance_EE, abs=0.12 * NOISE**2)


def test_the_noise_is_estimated_from_configurations_with_several_seeds(surrogate: Surrogate) -> None:
    noise = surrogate.noise
    assert noise.degrees_of_freedom == 2 * N_CONFIGURATIONS // 4
    # Three standard errors of 50 degrees of freedom.
    assert noise.deviation_E == pytest.approx(np.full(N_EPOCHS, NOISE), rel=0.3)
    off_diagonal = noise.correlation_EE[~np.eye(N_EPOCHS, dtype=bool)]
    assert off_diagonal.mean() == pytest.approx(SHARED, abs=0.27)


def test_seconds_are_those_that_were_timed_and_one_that_was_disturbed_does_not_count(curves: list[Curve]) -> None:
    first, *others = timings()
    surrogate = Surrogate.fit(curves, [replace(first, seconds=9 * first.seconds), *others])
    for values in configurations(20, seed=1):
        assert surrogate.seconds(values) == pytest.approx(true_seconds(values), rel=0.01)
    mean_s = np.mean([true_seconds(values) for values in configurations(N_CONFIGURATIONS)])
    assert surrogate.full_length_s == pytest.approx(N_EPOCHS * mean_s, rel=0.01)


def test_the_target_is_a_little_above_the_tables_best_configuration_by_the_mean_of_its_seeds(
    curves: list[Curve], surrogate: Surrogate
) -> None:
    # A lucky seed of a configuration that is otherwise no good.
    lucky = max(curves, key=lambda curve: curve.val_bpd[-1] if curve.seed == 2 else 0)
    changed = [replace(curve, val_bpd=(*curve.val_bpd[:-1], 4.5)) if curve == lucky else curve for curve in curves]
    best = min(configurations(N_CONFIGURATIONS), key=lambda values: float(true_curve(values)[-1]))
    assert Surrogate.fit(changed, timings()).best == surrogate.best == best
    assert surrogate.target == surrogate.final(best) + TOLERANCE
    assert surrogate.target == pytest.approx(true_curve(best)[-1] + TOLERANCE, abs=0.01)


def diverging(curves: list[Curve]) -> list[Curve]:
    """The same where high learning rates diverge after three epochs."""
    return [
        replace(curve, val_bpd=curve.val_bpd[:3]) if curve.values["learning_rate"] > 5e-3 else curve for curve in curves
    ]


def test_where_the_table_diverged_the_surrogate_scores_its_worst_and_elsewhere_as_before(curves: list[Curve]) -> None:
    surrogate = Surrogate.fit(diverging(curves), timings())
    kept = [curve for curve in curves if curve.values["learning_rate"] <= 5e-3]
    worst = np.max([true_curve(curve.values) for curve in kept], axis=0)
    values = {"beta": 1.0, "latent_dim": 128, "batch_size": 32}
    assert surrogate.mean(values | {"learning_rate": 9e-3}) == pytest.approx(worst, abs=0.02)
    below = values | {"learning_rate": 2e-3}
    assert surrogate.mean(below) == pytest.approx(true_curve(below), abs=0.02)


def test_a_small_table_without_repeated_seeds_is_accepted() -> None:
    small = [curve for curve in table(20) if curve.seed == 0]
    surrogate = Surrogate.fit(small, timings())
    assert surrogate.noise.degrees_of_freedom == 0
    assert all(errors.rank_correlation > 0.5 for errors in held_out(small, (1, N_EPOCHS)))
    assert surrogate.curve(configurations(1, seed=1)[0], 0) == pytest.approx(
        true_curve(configurations(1, seed=1)[0]), abs=0.3
    )


# The command


def test_a_table_that_is_too_small_is_reported_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, curves: list[Curve]
) -> None:
    few = [curve for curve in curves if curve.index < 19]
    monkeypatch.setattr(command, "CIFAR10", SimpleNamespace(path=Path("curves.jsonl"), read=lambda: few))
    done = invoke()
    assert done.exit_code == 2
    assert "needs 20 configurations, but has 19; make it with `python -m benchmarks.search.grow`" in done.stderr


def test_an_unknown_method_is_refused_with_a_list_of_the_known_ones() -> None:
    done = invoke("--method", "nope")
    assert done.exit_code == 2
    assert "nope" in done.stderr and "one_epoch_top_k" in done.stderr


def test_the_command_prints_one_method_without_writing_the_page(
    monkeypatch: pytest.MonkeyPatch, curves: list[Curve], tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "CIFAR10", SimpleNamespace(read=lambda: curves, space=SPACE))
    monkeypatch.setattr(command, "replay", lambda tasks, ground, **_: replay(tasks, ground, tmp_path / "replays.jsonl"))
    monkeypatch.setattr(command, "write", lambda _: pytest.fail("wrote"))
    done = invoke("--method", "random", "--repetitions", "3", "--workers", "16")
    assert done.exit_code == 0, done.output
    assert re.fullmatch(r"16 workers, random: .* to the target, \d of 3 reached it\n", done.stdout)


def invoke(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(command.main)
    return CliRunner().invoke(app, arguments)


# What is told

TRACES = [
    Trace((Point(10, 10, 0.5), Point(20, 20, -0.01)), 100, 100),
    Trace((Point(30, 30, 0.1), Point(40, 40, 0.2)), 100, 100),
]


def test_a_target_that_was_never_reached_counts_as_the_limit() -> None:
    assert to_target(TRACES, unit_s=10, limit=50).tolist() == [2, 50]


def test_regret_is_above_the_best_of_the_table_and_infinite_before_any_answer() -> None:
    expected = [[np.inf, 0.5 + TOLERANCE, -0.01 + TOLERANCE, 0.01], [np.inf, np.inf, 0.1 + TOLERANCE, 0.2 + TOLERANCE]]
    assert regrets(TRACES, (0.9, 1, 3, 100), unit_s=10) == pytest.approx(np.array(expected))
    assert quartiles(np.array([np.inf, 1.0, 2.0, np.inf])).tolist() == [1, 2, np.inf]


def test_the_bootstrap_interval_of_a_median_is_the_exact_one() -> None:
    """The median of eleven drawn from 1 to 11 is at most k where six of them are."""
    ranks = np.arange(1.0, 12.0)
    at_most = binom.sf(5, 11, ranks / 11)
    # Far from where the quantiles jump, so that resampling finds them.
    assert np.abs(at_most[:, None] - [0.025, 0.975]).min() > 0.01
    low, high = (float(ranks[np.argmax(at_most >= share)]) for share in (0.025, 0.975))
    twos = np.array([2.0] * 7)
    assert ratio_of_medians(2 * ranks, twos) == Interval(6, low, high)
    assert ratio_of_medians(twos, 2 * ranks) == Interval(1 / 6, 1 / high, 1 / low)


@pytest.fixture(scope="module")
def ground(curves: list[Curve]) -> Ground:
    """Random search, and as ours its double."""
    return Ground.of(curves, timings(), SPACE, {"random": METHODS["random"], OURS: METHODS["random_2x"]})


TASKS = [
    Task(name, n_workers, repetition) for n_workers in (1, 4) for name in ("random", OURS) for repetition in range(3)
]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """The tasks that are really run from here on."""
    ran: list[Task] = []
    run_one = Ground.run

    def run_and_count(self: Ground, task: Task) -> Trace:
        ran.append(task)
        return run_one(self, task)

    monkeypatch.setattr(Ground, "run", run_and_count)
    return ran


def test_a_second_call_runs_what_is_missing_and_nothing_else(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran, cache = counted(monkeypatch), tmp_path / "cache" / "replays.jsonl"
    first = replay(TASKS[:4], ground, cache)
    assert ran == TASKS[:4]
    whole = replay(TASKS, ground, cache)
    assert ran == TASKS
    assert list(whole) == TASKS
    again = replay(TASKS, ground, cache)
    assert ran == TASKS
    assert [again[task].elapsed_s for task in first] == [first[task].elapsed_s for task in first]
    assert [len(again[task].points) for task in TASKS] == [len(whole[task].points) for task in TASKS]


def test_results_of_another_table_or_method_are_not_reused(
    ground: Ground, curves: list[Curve], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, cache = TASKS[0], tmp_path / "replays.jsonl"
    replay([task], ground, cache)
    ran = counted(monkeypatch)
    replay([task], replace(ground, methods={"random": replace(METHODS["random"], speed=2)}), cache)
    replay([task], replace(ground, methods={"random": METHODS["one_epoch_top_k"]}), cache)
    replay([task], Ground.of(curves[:-1], timings(), SPACE, ground.methods), cache)
    assert ran == [task] * 3


def test_twice_the_budget_is_two_workers_for_one_until_twice_the_compute(ground: Ground) -> None:
    trace = ground.run(Task(OURS, 1, 1))
    assert trace.compute_s == pytest.approx(2 * trace.elapsed_s, rel=0.05)
    assert trace.compute_s >= 2 * (HORIZON if trace.reached else LIMIT) * ground.surrogate.full_length_s


def test_processes_side_by_side_find_what_one_does(ground: Ground, tmp_path: Path) -> None:
    alone, shared = (replay(TASKS[:4], ground, tmp_path / f"{n}.jsonl", n_processes=n) for n in (1, 2))
    for task in TASKS[:4]:
        # All but what the sampler took is the same.
        assert [point.above_target for point in shared[task].points] == pytest.approx(
            [point.above_target for point in alone[task].points], abs=1e-6
        )


@pytest.fixture(scope="module")
def results(curves: list[Curve], ground: Ground) -> Results:
    traces: dict[int, dict[str, list[Trace]]] = {1: {}, 4: {}}
    for task in TASKS:
        traces[task.n_workers].setdefault(task.method, []).append(ground.run(task))
    return Results(curves, ground.surrogate, ground.methods, traces)


def test_the_numbers_have_what_was_agreed_and_nothing_else(results: Results) -> None:
    told = numbers(results)
    names = "n_configurations", "n_epochs", "n_repetitions", "target", "compute_to_target_ratio", "retrain_regret"
    assert set(told) == set(names)
    assert told["n_configurations"] == N_CONFIGURATIONS
    assert told["n_repetitions"] == 3
    ratio: Any = told["compute_to_target_ratio"]
    assert list(ratio) == ["random"]
    assert set(ratio["random"]) == {"median", "low", "high"}
    assert ratio["random"]["low"] <= ratio["random"]["median"] <= ratio["random"]["high"]


def test_without_our_method_everything_but_ratios_is_reported(results: Results, tmp_path: Path) -> None:
    alone = replace(results, traces={n: {"random": some["random"]} for n, some in results.traces.items()})
    write(alone, tmp_path, tmp_path / "SEARCH.md")
    assert json.loads((tmp_path / "search.json").read_text())["compute_to_target_ratio"] == {}
    assert "## 4 workers" in (tmp_path / "SEARCH.md").read_text()
    assert (tmp_path / "search.png").stat().st_size > 10_000


def test_the_page_shows_times_and_marks_those_at_the_limit(results: Results) -> None:
    never = [Trace((Point(1, 1, 0.5),), 1, 1)] * 3
    told = text(replace(results, traces={n: {"random": never, OURS: some[OURS]} for n, some in results.traces.items()}))
    lines = [line for line in told.splitlines() if line.startswith("| random | 3 | 0 |")]
    assert [line.split(" | ")[3] for line in lines] == ["≥ 150.0 (≥ 150.0, ≥ 150.0)", "≥ 37.5 (≥ 37.5, ≥ 37.5)"]
    assert lines[0].endswith(" | 0.5200 | 0.5200 | 0.5200 |")


def test_the_page_shows_repetitions_with_seeds_that_nothing_was_chosen_by(results: Results) -> None:
    assert "nothing was chosen by" not in text(results)
    unseen = {name: some[:2] for name, some in results.traces[1].items()}
    _, _, after = text(replace(results, unseen=unseen)).partition("### In repetitions that nothing was chosen by")
    section, _, _ = after.partition("\n## ")
    lines = [line.split(" | ")[:2] for line in section.splitlines() if line.startswith("| ")][1:]
    assert lines == [["| random", "2"], [f"| {OURS}", "2"]]


def test_the_page_shows_pairs_that_ran_for_real(results: Results, tmp_path: Path) -> None:
    live = [
        Search(0, OURS, 10.0, [(60.0, 6.6), (150.0, 6.3), (400.0, 6.4)]),
        Search(0, "tpe_median", 10.0, [(90.0, 6.5), (450.0, 6.35), (500.0, 6.36)]),
        Search(1, OURS, 10.0, [(60.0, 6.6)]),
        Search(1, "tpe_median", 10.0, [(90.0, 6.5)]),
    ]
    assert rows(live) == [
        ["1", "6.3000, 3 finished", "6.3500, 3 finished", "7.5", "2.5"],
        ["2", "6.6000, 1 finished", "6.5000, 1 finished", "1.5", "never"],
    ]
    write(replace(results, live=live), tmp_path, tmp_path / "SEARCH.md")
    assert "## For real" in (tmp_path / "SEARCH.md").read_text()
    assert (tmp_path / "search_live.png").stat().st_size > 10_000
