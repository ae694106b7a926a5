"""Trials as every tracker gets them."""

from hpo.report.trackers.tracked_trials import tracked_trials
from hpo.storage.open_study import OpenStudy
from tests.tools.synthetic import STARTED


def test_reports_have_the_metrics_that_are_stored_at_the_time_when_they_were_made(study: OpenStudy) -> None:
    finished, pruned, failed, running = tracked_trials(study)
    first, second = finished.reports
    assert (first.step, second.step) == (1, 2)
    started_s = STARTED.timestamp()
    assert (first.time_s, second.time_s) == (started_s + 10, started_s + 20)
    assert first.metrics == {
        **{"epoch": 0.5, "images_seen": 22500, "train_bpd": 7.6, "val_bpd": 7.5, "val_mse": 0.02},
        **{"skipped_updates": 0, "elapsed_s": 10.0, "learning_rate": 0.001},
    }
    # An empty cell of the table is left out.
    assert second.metrics.keys() == first.metrics.keys() - {"learning_rate"}
    assert [report.metrics for report in pruned.reports] == [{"epoch": 0.5, "val_bpd": 7.75}]
    assert failed.reports == () and running.reports[0].metrics["val_bpd"] == 7.0


def test_only_a_finished_trial_has_final_scores(study: OpenStudy) -> None:
    finished, *others = tracked_trials(study)
    assert finished.final["final/val_bpd"] == 7.25
    names = ("val_bpd", "rate_nats", "distortion_nats", "mse", "sigma")
    assert finished.final.keys() == {f"final/{name}" for name in names}
    assert [trial.final for trial in others] == [{}, {}, {}]


def test_tags_say_how_a_trial_ended(study: OpenStudy) -> None:
    trials = list(tracked_trials(study))
    assert [trial.tags["kind"] for trial in trials] == ["finished", "pruned", "failed", "running"]
    assert trials[2].tags == {"kind": "failed", "end": "failed: ValueError: so it is"}
    assert [trial.has_failed for trial in trials] == [False, False, True, False]
    assert trials[3].ended_s is None and trials[0].ended_s == STARTED.timestamp() + 90


def test_pictures_are_those_that_were_drawn_and_no_other_file(study: OpenStudy) -> None:
    finished, *_ = tracked_trials(study)
    assert finished.pictures.keys() == {"samples.png", "reconstruction_progress.gif"}
