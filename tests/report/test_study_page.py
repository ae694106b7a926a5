"""The study's page: correct text on the best trial in every state of a study."""

from typing import Any

import pytest
from matplotlib.figure import Figure
from optuna.trial import TrialState

from hpo.analysis.findings import findings
from hpo.analysis.formatting import capitalized
from hpo.analysis.further_search import outlook
from hpo.analysis.ppca_baseline import PpcaBaseline, ppca_baseline_of
from hpo.config.search_space import untuned_values
from hpo.figures.study.learning_curves import LearningCurves, draw_learning_curves
from hpo.optunahub.samplers.learning_curves.expected_gain import WiderRange
from hpo.optunahub.samplers.learning_curves.search_space_transform import RangeEnd
from hpo.report.study_page_data import SearchedSetting, read_study_page
from hpo.report.study_page_figures import draw_figures
from hpo.search.best_trial import best_at_length
from hpo.search.configurations import configurations_of
from hpo.search.samplers import ConfigurationSampler, make_sampler
from hpo.storage.open_study import OpenStudy
from tests.report.conftest import RETRAINED, Begin, add_retrained_model, study_page
from tests.tools import synthetic

SAMPLE = {"source": "sample", "n_train": 4500, "n_val": 500, "n_test": 1000}


# The best trial


def test_page_starts_with_the_best_trial_its_values_and_their_ranges(begin: Begin) -> None:
    opened = begin()
    synthetic.add_trial(opened, 7.0, 6.75)
    synthetic.add_trial(opened, 7.0, 6.5, values={"beta": 0.301, "latent_dim": 32})
    page = study_page(opened)
    assert "The best of 2 trials scores 6.500 bits per dimension" in page.text
    assert "Trial 1, trained for 1 epoch with β 0.301, latent dimension 32, learning rate 0.001, batch" in page.text
    assert read_study_page(opened).settings == (
        SearchedSetting("beta", 0.301, "0.3 to 3, log scale", 1.0, True),
        SearchedSetting("latent_dim", 32, "16 to 256, log scale", 128, False),
        SearchedSetting("learning_rate", 0.001, "0.0003 to 0.01, log scale", 0.001, False),
        SearchedSetting("batch_size", 64, "one of 32, 64, 128, 256", 64, False),
    )
    assert "At the edge of its range: β. To search beyond it, widen" in page.text
    assert "Not retrained yet. make best-retrain STUDY=small" in page.text


def test_page_gives_the_spread_among_the_best_and_what_it_does_not_mean(begin: Begin) -> None:
    opened = begin()
    for score in (6.5, 6.5049, 6.51, 6.52):
        synthetic.add_trial(opened, score)
    text = study_page(opened).text
    assert "3 of 4 finished trials are within 0.01 of the best, from 6.5000 to 6.5100." in text
    assert "with one seed" in text and "may be luck" in text


def test_page_tells_what_more_search_is_expected_to_bring(begin: Begin) -> None:
    opened = begin()
    for number in range(16):
        synthetic.add_trial(opened, 6.5 + number / 10, elapsed_s=600.0)
    text = study_page(opened).text
    assert (
        "More search: another 30 minutes, about 3 configurations, are expected to lower the best score by about 0."
        in text
    )
    other = begin(name="tpe", file={"sampler": {"name": "tpe"}})
    for number in range(16):
        synthetic.add_trial(other, 6.5 + number / 10, elapsed_s=600.0)
    assert "More search" not in study_page(other).text


def test_page_names_the_trial_that_a_longer_retraining_takes(begin: Begin) -> None:
    opened = begin(file={"retrain": {"epochs": 6}})
    for number in range(6):
        synthetic.add_trial(opened, *(7.0 - 0.1 * step - number / 100 for step in range(6)))
    best = best_at_length(configurations_of(opened.study), make_sampler(opened.study, opened.config), 6, 3)
    assert best is not None and best.sentence in study_page(opened).text
    assert f"{best.sentence} It is the one that is retrained" in findings_of(opened)
    unfinished = begin(name="unfinished", file={"retrain": {"epochs": 6}})
    synthetic.add_trial(unfinished, 7.0, 6.8, end="pruned at epoch 1")
    assert "After 6 epochs, trial 0 is expected to score " in study_page(unfinished).text
    assert findings_of(unfinished)[-1].startswith("After 6 epochs, trial 0 is expected to score ")
    other = begin(name="other", file={"retrain": {"epochs": 3}})
    synthetic.add_trial(other, 7.0, 6.8)
    assert "is expected to score" not in study_page(other).text + " ".join(findings_of(other))


def findings_of(opened: OpenStudy) -> list[str]:
    baseline = ppca_baseline_of(opened.study, opened.paths)
    return findings(opened.study, opened.config, baseline, opened.paths)


def test_page_shows_what_wider_ranges_are_expected_to_bring(begin: Begin, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = begin()
    for number in range(16):
        synthetic.add_trial(opened, 6.5 + number / 10, elapsed_s=600.0, values={"learning_rate": 0.01})
    found = [
        WiderRange(RangeEnd("beta", 0, False, 0.3, 0.16871), 0.0123),
        WiderRange(RangeEnd("learning_rate", 2, True, 0.01, 0.02404), 0.0001),
        WiderRange(RangeEnd("learning_rate", 2, False, 3e-4, 1e-4), 0.0001),
        WiderRange(RangeEnd("latent_dim", 1, True, 256, 512), 0.5),
    ]
    monkeypatch.setattr(ConfigurationSampler, "predict_gain", lambda *_: 0.004)
    monkeypatch.setattr(ConfigurationSampler, "predict_wider", lambda *_: found)
    sentences = [
        "another 30 minutes with beta from 0.3, the end of its range, to 0.1687 are expected to lower the best score "
        "by about 0.012; within the ranges, by about 0.004",
        "another 30 minutes with learning_rate from 0.01, the end of its range, to 0.02404 are expected to lower the "
        "best score by less than 0.001; within the ranges, by about 0.004",
    ]
    text = study_page(opened).text
    assert all(f"A wider range: {sentence}." in text for sentence in sentences)
    assert text.count("A wider range: ") == 2
    assert outlook(opened.study, opened.config)[1:] == [capitalized(sentence) for sentence in sentences]


def test_page_compares_a_best_trial_far_ahead_with_the_second_best(begin: Begin) -> None:
    opened = begin()
    for score in (6.5, 6.75):
        synthetic.add_trial(opened, score)
    text = study_page(opened).text
    assert "No other finished trial is within 0.01 of the best: of 2, the next one scores 6.7500." in text


def test_page_compares_a_single_finished_trial_with_nothing(begin: Begin) -> None:
    opened = begin()
    synthetic.add_trial(opened, 6.5)
    text = study_page(opened).text
    assert "The only trial scores 6.500 bits per dimension" in text
    assert "One trial has finished, so there is nothing to compare it with yet." in text
    assert "the only finished trial so far" in text and "no later trial" not in text
    assert "within 0.01" not in text


@pytest.mark.parametrize(
    ("score", "earlier_best", "verdict"),
    [
        (6.0, None, "✓ beaten by 0.2414"),
        (7.0, None, "✗ not beaten, behind by 0.7586: the model is undertrained"),
        (7.0, "6.9000 at epoch 2", "✗ not beaten, behind by 0.7586: the model has overfitted"),
    ],
)
def test_page_compares_the_best_with_the_linear_model_of_its_size(
    begin: Begin, score: float, earlier_best: str | None, verdict: str
) -> None:
    opened = begin()
    facts: dict[str, Any] = {"earlier_best": earlier_best} if earlier_best else {}
    synthetic.add_trial(opened, score, **facts)
    synthetic.write_ppca_baseline(opened)
    text = study_page(opened, with_captions=True).text
    assert text.count(verdict) == 1 and text.count(verdict[2:]) == 2
    assert "The black line is probabilistic PCA" in text


@pytest.mark.parametrize(
    "content", [None, "torn {", '{"digest": "of other images", "validation_bpd": {"128": 1.0}}', "[]"]
)
def test_page_says_that_a_baseline_is_missing(begin: Begin, content: str | None) -> None:
    opened = begin()
    synthetic.add_trial(opened, 6.5)
    if content is not None:
        opened.paths.ppca_baseline.write_text(content)
    assert read_study_page(opened).ppca_baseline == PpcaBaseline("", {}, {})
    text = study_page(opened, with_captions=True).text
    assert "eaten" not in text and "is not available. The next make tune computes it" in text
    assert "The linear model’s curve is left out" in text


def test_page_uses_a_baseline_of_an_older_version_without_rates(begin: Begin) -> None:
    opened = begin()
    opened.paths.ppca_baseline.write_text('{"digest": "d1ge57", "validation_bpd": {"2": 7.0}}')
    assert read_study_page(opened).ppca_baseline == PpcaBaseline("d1ge57", {2: 7.0}, {})


def test_page_compares_the_best_with_the_tutorials_values(begin: Begin) -> None:
    opened = begin()
    synthetic.add_trial(opened, 6.75)
    synthetic.add_trial(opened, 6.5)
    text = study_page(opened).text
    assert "First trial: the tutorial’s values 6.750 ✓ beaten by 0.250" in text
    assert (
        "which had the tutorial’s values of all searched hyperparameters, scored 6.7500; the best is better by 0.250."
        in text
    )


def test_page_says_that_no_later_trial_has_beaten_the_first(begin: Begin) -> None:
    opened = begin()
    synthetic.add_trial(opened, 6.5)
    synthetic.add_trial(opened, 6.75)
    text = study_page(opened).text
    assert (
        "The best is the first trial, which had the tutorial’s values of all searched hyperparameters: no later" in text
    )


def test_page_says_that_the_first_trial_did_not_finish(begin: Begin) -> None:
    opened = begin()
    synthetic.add_trial(opened, end="diverged: not finite")
    synthetic.add_trial(opened, 6.75)
    text = study_page(opened).text
    assert "tutorial’s values of all searched hyperparameters, did not finish (diverged: not finite)." in text


def test_page_does_not_name_the_tutorial_if_a_range_excludes_its_value(begin: Begin) -> None:
    space = synthetic.FILE["hyperparameters"] | {"beta": {"low": 2.0, "high": 3.0}}
    opened = begin(file={"hyperparameters": space})
    synthetic.add_trial(opened, 6.75, values={"beta": 2.5})
    synthetic.add_trial(opened, 6.5, values={"beta": 2.6})
    text = study_page(opened).text
    assert "The first trial scored 6.7500; the best is better by 0.250." in text
    assert "which had the tutorial’s values" not in text


def test_page_warns_of_an_earlier_epoch_that_was_better(begin: Begin) -> None:
    opened = begin()
    synthetic.add_trial(opened, 6.5, earlier_best="6.4000 at epoch 2")
    assert (
        "An earlier epoch was better: 6.4000 at epoch 2; the last epoch counts, for every trial."
        in study_page(opened).text
    )


def test_page_compares_the_retrained_model_with_its_trial_and_links_to_its_page(begin: Begin) -> None:
    opened = begin()
    for score in (6.75, 6.5):
        synthetic.add_trial(opened, score)
    add_retrained_model(opened, **RETRAINED)
    page = study_page(opened)
    assert "Chosen at 3 epochs, retrained at 20: trial 1 went from 6.5000 to 6.2500" in page.text
    assert "it reaches 6.3000, the linear model 6.4000. Page of the retrained model" in page.text
    assert "../best/index.html" in [link["href"] for link in page.all("a")]
    assert "This is not the best trial" not in page.text
    synthetic.add_trial(opened, 6.25)
    assert "This is not the best trial, which is 2: make best-retrain STUDY=small" in study_page(opened).text


def test_page_of_a_study_without_a_finished_trial_compares_the_retrained_model_with_what_was_expected(
    begin: Begin,
) -> None:
    opened = begin()
    for score in (6.9, 6.75):
        synthetic.add_trial(opened, score, end="pruned at epoch 0.5")
    add_retrained_model(opened, **RETRAINED | {"trial_epochs": 0.5, "trial_expected_bpd": 6.45})
    text = study_page(opened).text
    assert "No trial has finished yet" in text and "Trial 1 is expected to end best" in text
    assert "Retrain it" not in text, "it has been"
    assert "Chosen at 0.5 epochs, retrained at 20: trial 1 went from 6.5000 to 6.2500 on the validation split" in text
    assert "where 6.4500 was expected; on the test split, scored once, it reaches 6.3000" in text


def test_page_shows_the_confirmed_trial_and_names_the_luckier_one(begin: Begin) -> None:
    opened = begin(file={"confirmation": {"top": 2, "seeds": 1}})
    synthetic.add_trial(opened, *[7.3] * 5, 6.6)
    synthetic.add_trial(opened, *[7.3] * 5, 6.7)
    synthetic.add_trial(opened, *[7.3] * 5, 6.9, confirms=0)
    synthetic.add_trial(opened, *[7.3] * 5, 6.75, confirms=1)
    text = study_page(opened).text
    assert "The best of 4 trials scores 6.700" in text
    assert "Trained again with 1 new seed, the best scored 6.7500 on average." in text
    assert "Trial 0 itself scored 6.6000, but new seeds have not confirmed that." in text


def test_page_names_the_luckier_trial_also_where_the_best_has_no_new_seeds(begin: Begin) -> None:
    opened = begin(file={"confirmation": {"top": 2, "seeds": 1}})
    synthetic.add_trial(opened, *[7.3] * 5, 6.6)
    synthetic.add_trial(opened, *[7.3] * 5, 6.9, confirms=0)
    synthetic.add_trial(opened, *[7.3] * 5, 6.7)
    text = study_page(opened).text
    assert "Trial 0 itself scored 6.6000, but new seeds have not confirmed that." in text
    assert "Each trial was trained once" not in text


# Studies in which no trial has finished


def test_page_of_a_study_without_trials_names_the_command_that_starts_one(begin: Begin) -> None:
    page = study_page(begin())
    assert "No trial has started" in page.text and "make tune STUDY=small" in page.text
    assert page.all("img") == [] and "All trials" not in page.text


def test_page_of_a_study_without_a_finished_trial_counts_its_trials_and_draws_what_it_can(
    begin: Begin, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = begin()
    synthetic.add_trial(opened, 7.0, end="running")
    synthetic.add_trial(opened, 7.5, end="pruned at epoch 0.5")
    page = study_page(opened)
    assert "No trial has finished yet" in page.text
    assert "2 trials have started: 1 pruned, 1 running, 0 ended" in page.text
    assert "Trial 0 is expected to end best, at 7.1" in page.text and "bits per dimension. Retrain it" in page.text
    assert "make best-retrain STUDY=small" in page.text
    assert "how certain" not in page.text and "Importances" not in page.text
    drawn: list[LearningCurves] = []

    def draw(data: LearningCurves) -> Figure:
        drawn.append(data)
        return draw_learning_curves(data)

    monkeypatch.setattr("hpo.figures.study.learning_curves.draw_learning_curves", draw)
    figures = draw_figures(read_study_page(opened), opened)
    assert {name for name, picture in figures.items() if picture} == {"history", "learning_curves", "rate_distortion"}
    assert drawn[0].best is not None and drawn[0].best.label == "expected best: trial 0"


@pytest.mark.parametrize(("beta", "is_said"), [(1.0, True), (0.5, False)])
def test_the_page_says_that_the_second_trial_was_good_untuned_only_if_it_has_these_values(
    begin: Begin, beta: float, is_said: bool
) -> None:
    opened = begin()
    synthetic.add_trial(opened, 7.0, 6.9)
    synthetic.add_trial(opened, 7.0, 6.9, values=untuned_values(opened.config) | {"beta": beta})
    text = study_page(opened, with_captions=True).text
    assert ("the second has values that are good without a search" in text) == is_said


@pytest.mark.parametrize(
    ("n_trials", "headline"), [(1, "The only trial ended by a fault"), (3, "All 3 trials ended by a fault")]
)
def test_page_of_a_study_whose_every_trial_failed_names_the_log(begin: Begin, n_trials: int, headline: str) -> None:
    opened = begin()
    for _ in range(n_trials):
        synthetic.add_trial(opened, end="failed: RuntimeError: no luck")
    text = study_page(opened).text
    assert headline in text and "errors.log" in text and "failed: RuntimeError: no luck" in text


@pytest.mark.parametrize(
    ("pruner", "explanation"),
    [
        ("median", "worse than the median"),
        ("none", "Pruning is off"),
        ("halving", "A trial pauses at a rung (epochs 1, 2)"),
    ],
)
def test_page_explains_the_pruner(begin: Begin, pruner: str, explanation: str) -> None:
    opened = begin(file={"pruner": {"name": pruner}})
    synthetic.add_trial(opened, 7.0, 6.5)
    assert explanation in study_page(opened, with_captions=True).text


@pytest.mark.parametrize("n_finished", [9, 10])
def test_page_explains_importances_or_why_there_are_none(begin: Begin, n_finished: int) -> None:
    opened = begin()
    for number in range(n_finished):
        synthetic.add_trial(opened, 6.5 + number, values={"beta": 0.5 + number / 10, "latent_dim": 16 + number})
    text = study_page(opened, with_captions=True).text
    few, enough = "Importances are left out: 9 trials have finished", "Evaluator: PED-ANOVA (Watanabe et al. 2023"
    assert ((few in text), (enough in text)) == (n_finished < 10, n_finished >= 10)
    if n_finished == 10:
        assert "Optuna’s default), on the 10 finished trials" in text
        assert "values of the best 5 trials differ from those of all 10." in text


# Trials in unusual states


def test_page_counts_a_trial_with_incomplete_attributes_as_under_way(begin: Begin) -> None:
    opened = begin()
    synthetic.add_trial(opened, 6.5)
    trial = opened.study.ask()
    trial.report(6.4, 1)
    trial.set_user_attr("end", "finished")
    trial.set_user_attr("val_rate_nats", 100.0)
    assert "The best of 2 trials scores 6.500" in study_page(opened).text


def test_page_counts_a_trial_that_another_program_ended_as_failed(begin: Begin) -> None:
    opened = begin()
    synthetic.add_trial(opened, 6.5)
    for state, value in ((TrialState.FAIL, None), (TrialState.COMPLETE, 1.0)):
        opened.study.tell(opened.study.ask(), value, state=state)
    page = read_study_page(opened)
    assert [row.end for row in page.rows][1:] == ["failed: ended from outside"] * 2
    assert page.results is not None and page.results.best.number == 0
    assert page.cost.n_faulty == 2
