"""Sampler, pruner and continuation together, on curves of known ends, in any Optuna study."""

import runpy
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from hpo.optunahub.samplers import learning_curves
from hpo.optunahub.samplers.learning_curves import (
    CONTINUES,
    LearningCurveSampler,
    PausingPruner,
    configurations_of,
    continued_trial,
    enqueue_completion,
    enqueue_promotion,
)

N_STEPS = 8
needs_optunahub = pytest.mark.skipif(
    find_spec("optunahub") is None, reason="needs the packages of requirements-peers.txt"
)
FOLDER = Path(learning_curves.__file__).parent


class Objective:
    """Curve that ends at 1 + x², times `sign`; a trial goes on from the step at which the continued one stopped."""

    def __init__(self, sign: int = 1) -> None:
        self.sign = sign
        self.trained: list[tuple[float, int]] = []

    def __call__(self, trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", -2.0, 3.0)
        continued = continued_trial(trial)
        first = 1 + max(trial.study.trials[continued].intermediate_values) if continued is not None else 1
        for step in range(first, N_STEPS + 1):
            self.trained.append((x, step))
            score = self.sign * (1 + x**2 + 2 / step)
            trial.report(score, step)
            if trial.should_prune():
                raise optuna.TrialPruned
        return score


def search(
    objective: Objective, n_trials: int = 25, direction: Literal["minimize", "maximize"] = "minimize"
) -> optuna.Study:
    study = optuna.create_study(
        sampler=LearningCurveSampler(N_STEPS, seed=0), pruner=PausingPruner(N_STEPS), direction=direction
    )
    study.optimize(objective, n_trials, callbacks=[enqueue_promotion])
    return study


def test_paused_trials_are_continued_and_no_step_is_trained_twice() -> None:
    objective = Objective()
    study = search(objective)
    continuing = [trial for trial in study.trials if CONTINUES in trial.user_attrs]
    assert continuing and all(study.trials[trial.user_attrs[CONTINUES]].params == trial.params for trial in continuing)
    assert len(set(objective.trained)) == len(objective.trained) < 25 * N_STEPS / 2
    assert abs(study.best_params["x"]) < 0.2


def test_a_study_that_maximises_proposes_the_same_as_one_that_minimises_the_negative() -> None:
    low, high = search(Objective(), 15), search(Objective(-1), 15, "maximize")
    assert [trial.params for trial in low.trials] == [trial.params for trial in high.trials]
    assert [trial.state for trial in low.trials] == [trial.state for trial in high.trials]


def test_the_most_promising_paused_trial_is_trained_to_the_end() -> None:
    study = search(Objective(), n_trials=4)
    study.enqueue_trial({"x": 3.0})
    study.optimize(lambda trial: 1.0 + trial.suggest_float("x", -2.0, 3.0) ** 2, n_trials=1)
    paused = [trial for trial in study.trials if trial.state == TrialState.PRUNED]
    continued = enqueue_completion(study)
    assert continued == min(paused, key=lambda trial: (abs(trial.params["x"]), -trial.number)).number
    study.optimize(Objective(), n_trials=1)
    assert study.best_trial.number == len(study.trials) - 1 and study.best_trial.last_step == N_STEPS
    assert enqueue_completion(study) is None, "no other is expected to end better"


def test_a_report_that_is_not_finite_pauses_for_good_and_counts_as_the_worst() -> None:
    study = search(Objective(), n_trials=6)

    def diverge(trial: optuna.Trial) -> float:
        trial.suggest_float("x", -2.0, 3.0)
        trial.report(float("nan"), 1)
        assert trial.should_prune()
        raise optuna.TrialPruned

    study.enqueue_trial({"x": 0.0})
    study.optimize(diverge, n_trials=1)
    assert enqueue_completion(study) != 6
    sampler = study.sampler
    assert isinstance(sampler, LearningCurveSampler)
    study.optimize(Objective(), n_trials=3)
    assert all(abs(trial.params["x"]) > 0.01 for trial in study.trials[7:])


def trial_of(number: int, state: TrialState, x: float, scores: list[float], **attributes: int) -> FrozenTrial:
    trial = create_trial(
        state=state,
        value=scores[-1] if state == TrialState.COMPLETE else None,
        params={"x": x},
        distributions={"x": FloatDistribution(-2.0, 3.0)},
        intermediate_values=dict(enumerate(scores, start=1)),
        user_attrs=attributes,
    )
    trial.number = number
    return trial


def test_a_trial_that_two_processes_have_continued_at_once_pauses_and_goes_on_in_both() -> None:
    study = optuna.create_study(pruner=PausingPruner(N_STEPS))
    paused = [trial_of(n, TrialState.PRUNED, x, [3.0 + x]) for n, x in enumerate((1.0, 1.1, 0.0))]
    study.add_trials([*paused, trial_of(3, TrialState.RUNNING, 0.0, [3.0, 2.0], continues=2)])
    study.add_trial(trial_of(4, TrialState.RUNNING, 0.0, [3.0], continues=2))
    first, second = study.trials[3], study.trials[4]
    assert study.pruner.prune(study, first) and not study.pruner.prune(study, second)


def test_a_continuation_that_fails_is_tried_twice_more() -> None:
    for n_failed in range(4):
        study = optuna.create_study(pruner=PausingPruner(N_STEPS, reduction_factor=2))
        study.add_trials([trial_of(n, TrialState.PRUNED, n, [3.0 + n]) for n in range(2)])
        study.add_trials([trial_of(2 + n, TrialState.FAIL, 0.0, [], continues=0) for n in range(n_failed)])
        enqueue_promotion(study)
        waiting = study.get_trials(states=[TrialState.WAITING])
        assert [trial.user_attrs[CONTINUES] for trial in waiting] == ([0] if n_failed < 3 else [])


def test_trials_of_a_former_study_of_this_sampler_count_and_copied_ones_do_not_mix() -> None:
    former = search(Objective(), 15)
    assert any(CONTINUES in trial.user_attrs for trial in former.trials)
    sampler = LearningCurveSampler(N_STEPS, seed=0, other_trials=former.trials)
    study = optuna.create_study(sampler=sampler, pruner=PausingPruner(N_STEPS))
    study.optimize(Objective(), n_trials=2)
    assert all(abs(trial.params["x"]) < 1 for trial in study.trials), "as good as after fifteen trials"
    copied = search(Objective(), 3)
    copied.add_trials(former.trials)
    for configuration in configurations_of(copied):
        assert len({trial.params["x"] for trial in configuration.trials if trial.params}) == 1


def test_a_trial_without_reports_is_a_whole_training() -> None:
    study = optuna.create_study(sampler=LearningCurveSampler(20, seed=0))
    study.optimize(lambda trial: trial.suggest_float("x", -2.0, 3.0) ** 2, n_trials=4)
    sampler = study.sampler
    assert isinstance(sampler, LearningCurveSampler)
    predicted = sampler.predict_final_scores(configurations_of(study))
    assert [predicted[trial.number] for trial in study.trials] == pytest.approx(
        [trial.value for trial in study.trials], abs=0.2
    )


def test_reports_at_step_0_and_enqueued_values_outside_of_the_range_are_survived() -> None:
    study = optuna.create_study(sampler=LearningCurveSampler(N_STEPS, seed=0), pruner=optuna.pruners.MedianPruner())
    study.enqueue_trial({"x": 10.0})

    def objective(trial: optuna.Trial) -> float:
        x = trial.suggest_float("x", -2.0, 3.0)
        for step in range(N_STEPS):
            trial.report(x**2 + 1 / (step + 1), step)
        return x**2

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study.optimize(objective, n_trials=30)
    assert study.best_value < 0.01


def test_what_is_wrongly_used_is_named() -> None:
    with pytest.raises(ValueError, match="`seed` must be at least 0, but got -1"):
        LearningCurveSampler(seed=-1)
    with pytest.raises(ValueError, match="`n_steps` must be at least 1, but got 0"):
        LearningCurveSampler(0)
    with pytest.raises(ValueError, match="`reduction_factor` must be at least 2, but got 1"):
        PausingPruner(9, reduction_factor=1)
    study = optuna.create_study(pruner=PausingPruner(9))
    trial = study.ask()
    trial.report(1.0, 0)
    with pytest.raises(ValueError, match=r"Steps must be reported as 1, 2, .*, but got 0"):
        trial.should_prune()
    with pytest.raises(TypeError, match="must be a PausingPruner, but got NopPruner"):
        enqueue_promotion(optuna.create_study(pruner=optuna.pruners.NopPruner()))


@needs_optunahub
def test_the_package_loads_as_optunahub_loads_it_without_this_project(tmp_path: Path) -> None:
    copied = tmp_path / "package" / "samplers" / "learning_curves"
    copied.parent.mkdir(parents=True)
    subprocess.run(["cp", "-r", str(FOLDER), str(copied)], check=True)
    code = (
        "import optunahub, sys, optuna\n"
        "curves = optunahub.load_local_module('samplers/learning_curves', registry_root='package')\n"
        "study = optuna.create_study(sampler=curves.LearningCurveSampler(seed=0))\n"
        "study.optimize(lambda trial: trial.suggest_float('x', -1, 1) ** 2, n_trials=6)\n"
        "assert not {'hpo', 'model', 'torch'} & sys.modules.keys(), sys.modules.keys()\n"
        "print(study.best_value)\n"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert float(ran.stdout) < 0.1


@needs_optunahub
def test_the_code_of_the_readme_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import optunahub

    text = (FOLDER / "README.md").read_text()
    code = text.split("```python\n")[1].split("```")[0]
    monkeypatch.setattr(optunahub, "load_module", lambda package: learning_curves)
    (tmp_path / "code.py").write_text(code)
    study = runpy.run_path(str(tmp_path / "code.py"))["study"]
    assert study.best_trial.last_step == 20 and abs(study.best_params["rate"] - 0.5) < 0.1


@needs_optunahub
@pytest.mark.slow
def test_the_example_finds_a_good_classifier_with_fewer_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    found = runpy.run_path(str(FOLDER / "example.py"))
    study = found["search"](12)
    assert any(CONTINUES in trial.user_attrs for trial in study.trials)
    assert study.best_value < 0.4 and study.best_trial.last_step == found["N_EPOCHS"]
