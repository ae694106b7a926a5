"""A study's own page in optuna-dashboard: a note that sums it up, and figures that answer to the mouse."""

import math
import time

from optuna.study import Study
from optuna_dashboard import save_plotly_graph_object

from hpo.analysis.ppca_baseline import PpcaBaseline, load_ppca_baseline
from hpo.analysis.results import findings
from hpo.analysis.trial_table import TrialRow, trial_rows
from hpo.config.schema import StudyConfig
from hpo.dashboard import notes
from hpo.dashboard.plotly_data import IsoScore, PcaPoint, PlottedTrial
from hpo.dashboard.plotly_figures import learning_curves, pareto_front, rate_distortion, score_against_compute
from hpo.search.best_trial import best_of
from hpo.search.configurations import configurations_of
from hpo.search.pareto import objectives_notice, pareto_front_of
from hpo.storage import artifacts
from hpo.storage.database import DATABASE_ERRORS
from hpo.storage.error_log import log_traceback
from hpo.storage.file_locks import wait_for_lock
from hpo.storage.paths import RunPaths, StudyPaths
from model.config import DIMENSIONS
from model.errors import UserError

# Between two refreshings while trials run: one takes 0.03 to 0.2 s, depending on how many trials there are.
REFRESH_S = 10.0
_ISO_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_MAX_ISO_SCORES = 6


class OverviewRefresher:
    """Refreshes a study's overview while trials run."""

    def __init__(self, study: Study, config: StudyConfig, paths: StudyPaths) -> None:
        self._study, self._config, self._paths = study, config, paths
        self._refreshed = -math.inf

    def refresh_if_due(self) -> str | None:
        """Refresh if the last time is REFRESH_S seconds ago; return a message if a fault of ours prevented it."""
        if time.monotonic() - self._refreshed < REFRESH_S:
            return None
        message = self.refresh()
        self._refreshed = time.monotonic()
        return message

    def refresh(self) -> str | None:
        """Refresh now; return a message if a fault of ours prevented it."""
        return try_to_refresh(self._study, self._config, self._paths)


def refresh(study: Study, config: StudyConfig, paths: StudyPaths) -> None:
    """Write the study's note and figures anew; where no trial has come to a report there are no figures yet."""
    rows, yardstick = trial_rows(study, config), load_ppca_baseline(paths)
    trials, front = figure_trials(rows), pareto_front_of(((row.number, row.objectives) for row in rows), config)
    with wait_for_lock(paths.next_page):
        if trials:
            linear = figure_linear(yardstick)
            # What diverged lies so far out that it would hide the rest.
            sound = [trial for trial in trials if trial.kind in ("finished", "pruned")] or trials
            searched = [trial for trial in trials if trial.kind not in ("continued", "confirmation")]
            for figure_id, figure in {
                "rate-distortion": rate_distortion(sound, linear, iso_scores([trial.val_bpd for trial in sound])),
                "learning-curves": learning_curves(searched, best_of(configurations_of(study))),
                "score-against-compute": score_against_compute(trials),
            }.items():
                save_plotly_graph_object(study, figure, graph_object_id=figure_id)
        if front:
            save_plotly_graph_object(study, pareto_front(front, trials), graph_object_id="pareto-front")
        found = findings(study, config, yardstick.bpd if yardstick else {})
        animation = artifacts.address(study, study, paths.best.animation_gif.name)
        note = notes.study_note(config.name, found, study.user_attrs, animation, objectives_notice(config))
        notes.save(study, note)


def attach_run(study: Study, paths: StudyPaths, run: RunPaths) -> None:
    """Make what a retrained model shows artifacts of its study, in place of an earlier one's."""
    pictures = (run.animation_gif, run.animation_mp4, run.reconstructions, run.samples)
    for file in (*pictures, run.metrics_json, run.metrics_csv, run.page):
        if file.exists():
            artifacts.keep(study, study, file, paths)


def figure_trials(rows: list[TrialRow]) -> list[PlottedTrial]:
    """Trials that are over and made a report, as figures take them."""
    return [trial for row in rows if (trial := _figure_trial(row))]


def figure_linear(yardstick: PpcaBaseline | None) -> list[PcaPoint]:
    """Probabilistic PCA of each size, where its rate is known."""
    curve = yardstick.curve if yardstick else {}
    return [PcaPoint(d, one.rate_nats, one.distortion_nats, one.bpd) for d, one in sorted(curve.items())]


def iso_scores(scores: list[float]) -> list[IsoScore]:
    """Round scores over the range of those given, a handful."""
    low, high = min(scores), max(scores)
    step = next((step for step in _ISO_STEPS if (high - low) / step <= _MAX_ISO_SCORES - 2), _ISO_STEPS[-1])
    first = math.floor(low / step)
    rounded = [round((first + index) * step, 2) for index in range(_MAX_ISO_SCORES)]
    return [IsoScore(bpd, _nats(bpd)) for bpd in rounded]


def try_to_refresh(study: Study, config: StudyConfig, paths: StudyPaths) -> str | None:
    """Refresh it where that is a by-product: return a word where a fault of ours forbade it."""
    try:
        refresh(study, config, paths)
    except (OSError, UserError, *DATABASE_ERRORS):
        raise
    except Exception as error:
        log_traceback("the study's page in the dashboard", paths.errors)
        return f"the study's page could not be made ({type(error).__name__}: {error}); see {paths.errors}"
    return None


def _figure_trial(row: TrialRow) -> PlottedTrial | None:
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
    """Rate and distortion together at this score: `bits_per_dimension` the other way round."""
    return (bpd - math.log2(255)) * DIMENSIONS * math.log(2)
