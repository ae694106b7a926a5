"""A study's own page in optuna-dashboard: a note that sums it up, and figures that answer to the mouse."""

import math
import time
from collections.abc import Generator, Iterable, Iterator

from optuna.study import Study
from optuna_dashboard import save_plotly_graph_object

from hpo import artifacts, notes
from hpo.config import StudyConfig
from hpo.configurations import best_of, configurations_of
from hpo.database import DATABASE_ERRORS
from hpo.figures.interactive import learning_curves, pareto_front, rate_distortion, score_against_compute
from hpo.figures.interactive_data import IsoScore, Linear, Trial
from hpo.front import about_objectives, front_of
from hpo.lock import turn
from hpo.objective import Event, Notice, TrialEnded, Workplace
from hpo.paths import RunPaths, StudyPaths
from hpo.summary import findings
from hpo.trial_end import log_traceback
from hpo.trial_table import TrialRow, trial_rows
from hpo.workers import TrialsFail
from hpo.yardstick import Yardstick, kept_yardstick
from model import elbo
from model.errors import UserError

# Between two refreshings while trials run: one takes 0.03 to 0.2 s, depending on how many trials there are.
REFRESH_S = 10.0
_ISO_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_MAX_ISO_SCORES = 6


def kept_up(events: Iterable[Event], place: Workplace) -> Generator[Event]:
    """Pass events on; refresh the page when trials have ended, now and then, and once at the end."""
    refreshed = -math.inf
    try:
        for event in events:
            yield event
            if isinstance(event, TrialEnded) and time.monotonic() - refreshed >= REFRESH_S:
                yield from _told(place.study, place.config, place.paths)
                refreshed = time.monotonic()
    except TrialsFail:
        yield from _told(place.study, place.config, place.paths)
        raise
    yield from _told(place.study, place.config, place.paths)


def refresh(study: Study, config: StudyConfig, paths: StudyPaths) -> None:
    """Write the study's note and figures anew; where no trial has come to a report there are no figures yet."""
    rows, yardstick = trial_rows(study, config), kept_yardstick(paths)
    trials, front = figure_trials(rows), front_of(rows, config)
    with turn(paths.next_page):
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
        note = notes.study_note(config.name, found, study.user_attrs, animation, about_objectives(config))
        notes.save(study, note)


def keep_run(study: Study, paths: StudyPaths, run: RunPaths) -> None:
    """Make what a retrained model shows artifacts of its study, in place of an earlier one's."""
    pictures = (run.animation_gif, run.animation_mp4, run.reconstructions, run.samples)
    for file in (*pictures, run.metrics_json, run.metrics_csv, run.page):
        if file.exists():
            artifacts.keep(study, study, file, paths)


def figure_trials(rows: list[TrialRow]) -> list[Trial]:
    """Trials that are over and made a report, as figures take them."""
    return [trial for row in rows if (trial := _figure_trial(row))]


def figure_linear(yardstick: Yardstick | None) -> list[Linear]:
    """Probabilistic PCA of each size, where its rate is known."""
    curve = yardstick.curve if yardstick else {}
    return [Linear(d, one.rate_nats, one.distortion_nats, one.bpd) for d, one in sorted(curve.items())]


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


def _told(study: Study, config: StudyConfig, paths: StudyPaths) -> Iterator[Notice]:
    if word := try_to_refresh(study, config, paths):
        yield Notice(word)


def _figure_trial(row: TrialRow) -> Trial | None:
    if (
        row.kind == "running"
        or row.val_bpd is None
        or row.rate_nats is None
        or row.distortion_nats is None
        or row.own_elapsed_s is None
    ):
        return None
    return Trial(
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
    return (bpd - math.log2(255)) * elbo.DIMENSIONS * math.log(2)
