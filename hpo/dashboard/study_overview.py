"""Overview of a study in optuna-dashboard: a note with its results, and interactive figures."""

import math
import time

from optuna.study import Study
from optuna_dashboard import save_plotly_graph_object

from hpo.analysis.ppca_baseline import PpcaBaseline, load_ppca_baseline
from hpo.analysis.results import findings
from hpo.analysis.trial_table import TrialRow, trial_rows
from hpo.config.schema import StudyConfig
from hpo.dashboard import notes
from hpo.dashboard.plotly_data import IsoScore, PlottedTrial, PpcaPoint
from hpo.dashboard.plotly_figures import (
    draw_interactive_learning_curves,
    draw_interactive_pareto_front,
    draw_interactive_rate_distortion,
    draw_score_against_compute,
)
from hpo.search.best_trial import best_trial_of
from hpo.search.configurations import configurations_of
from hpo.search.pareto import objectives_notice, pareto_front_of
from hpo.storage import artifacts
from hpo.storage.error_log import attempt
from hpo.storage.file_locks import wait_for_lock
from hpo.storage.paths import RunPaths, StudyPaths
from model.config import DIMENSIONS

# Time between two refreshes while trials run; a refresh takes 0.03 to 0.2 s, depending on the number of trials.
REFRESH_S = 10.0
_ISO_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_MAX_ISO_SCORES = 6


class OverviewRefresher:
    """Refreshes a study's overview while trials run."""

    def __init__(self, study: Study, config: StudyConfig, paths: StudyPaths) -> None:
        self._study, self._config, self._paths = study, config, paths
        self._refreshed = -math.inf

    def refresh_if_due(self) -> str | None:
        """Refresh if the last time is REFRESH_S seconds ago; return a message if an unforeseen error prevented it."""
        if time.monotonic() - self._refreshed < REFRESH_S:
            return None
        message = self.refresh()
        self._refreshed = time.monotonic()
        return message

    def refresh(self) -> str | None:
        """Refresh now; return a message if an unforeseen error prevented it."""
        return try_to_refresh(self._study, self._config, self._paths)


def refresh(study: Study, config: StudyConfig, paths: StudyPaths) -> None:
    """Write the study's note and figures again; without any report of a trial there are no figures yet."""
    rows, baseline = trial_rows(study, config), load_ppca_baseline(paths)
    trials, front = plotted_trials(rows), pareto_front_of(((row.number, row.objectives) for row in rows), config)
    with wait_for_lock(paths.overview_lock):
        if trials:
            linear = ppca_points(baseline)
            # A diverged trial lies so far out that the others could not be told apart.
            shown = [trial for trial in trials if trial.kind in ("finished", "pruned")] or trials
            searched = [trial for trial in trials if trial.kind not in ("continued", "confirmation")]
            for figure_id, figure in {
                "rate-distortion": draw_interactive_rate_distortion(
                    shown, linear, iso_scores([trial.val_bpd for trial in shown])
                ),
                "learning-curves": draw_interactive_learning_curves(searched, best_trial_of(configurations_of(study))),
                "score-against-compute": draw_score_against_compute(trials),
            }.items():
                save_plotly_graph_object(study, figure, graph_object_id=figure_id)
        if front:
            save_plotly_graph_object(
                study, draw_interactive_pareto_front(front, trials), graph_object_id="pareto-front"
            )
        results = findings(study, config, baseline.bpd if baseline else {})
        animation = artifacts.dashboard_url(study, study, paths.best.animation_gif.name)
        note = notes.study_note(config.name, results, study.user_attrs, animation, objectives_notice(config))
        notes.save(study, note)


def attach_run(study: Study, paths: StudyPaths, run: RunPaths) -> None:
    """Upload pictures, metrics and page of a retrained model as artifacts of its study, replacing earlier ones."""
    pictures = (run.animation_gif, run.animation_mp4, run.reconstructions, run.samples)
    for file in (*pictures, run.metrics_json, run.metrics_csv, run.page):
        if file.exists():
            artifacts.upload_or_replace(study, study, file, paths)


def plotted_trials(rows: list[TrialRow]) -> list[PlottedTrial]:
    """Return the ended trials that made a report, in the form that figures take."""
    return [trial for row in rows if (trial := _plotted_trial(row))]


def ppca_points(baseline: PpcaBaseline | None) -> list[PpcaPoint]:
    """Return probabilistic PCA's rate, distortion and score at each latent dimension; empty if they are not known."""
    curve = baseline.curve if baseline else {}
    return [PpcaPoint(d, point.rate_nats, point.distortion_nats, point.bpd) for d, point in sorted(curve.items())]


def iso_scores(scores: list[float]) -> list[IsoScore]:
    """Return up to six round scores that cover the range of the given ones."""
    low, high = min(scores), max(scores)
    step = next((step for step in _ISO_STEPS if (high - low) / step <= _MAX_ISO_SCORES - 2), _ISO_STEPS[-1])
    first = math.floor(low / step)
    rounded = [round((first + index) * step, 2) for index in range(_MAX_ISO_SCORES)]
    return [IsoScore(bpd, _nats(bpd)) for bpd in rounded]


def try_to_refresh(study: Study, config: StudyConfig, paths: StudyPaths) -> str | None:
    """Refresh as a by-product of other work; return a message if an unforeseen error prevented it."""
    return attempt(
        lambda: refresh(study, config, paths),
        subject="the study's overview in the dashboard",
        heading="the study's overview in the dashboard",
        log=paths.errors,
    )


def _plotted_trial(row: TrialRow) -> PlottedTrial | None:
    if (
        row.kind == "running"
        or row.val_bpd is None
        or row.rate_nats is None
        or row.distortion_nats is None
        or row.own_elapsed_s is None
    ):
        return None
    return PlottedTrial(
        number=row.number,
        kind=row.kind,
        beta=float(row.values["beta"]),
        latent_dim=int(row.values["latent_dim"]),
        rate_nats=row.rate_nats,
        distortion_nats=row.distortion_nats,
        val_bpd=row.val_bpd,
        seconds=row.own_elapsed_s,
        curve=row.curve,
    )


def _nats(bpd: float) -> float:
    """Return the sum of rate and distortion at this score, in nats: the inverse of `bits_per_dimension`."""
    return (bpd - math.log2(255)) * DIMENSIONS * math.log(2)
