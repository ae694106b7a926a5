"""Overview of a study in optuna-dashboard: a note with its results, and interactive figures."""

from optuna.study import Study

from hpo.analysis.findings import findings
from hpo.analysis.ppca_baseline import NO_BASELINE, load_ppca_baseline
from hpo.analysis.run_metrics import ImageCounts
from hpo.analysis.trial_table import trial_rows
from hpo.config.schema import StudyConfig
from hpo.dashboard.interactive_figures.learning_curves import draw_interactive_learning_curves
from hpo.dashboard.interactive_figures.pareto_front import draw_interactive_pareto_front
from hpo.dashboard.interactive_figures.plotted_trial import plotted_trials
from hpo.dashboard.interactive_figures.rate_distortion import draw_interactive_rate_distortion, iso_scores, ppca_points
from hpo.dashboard.interactive_figures.score_against_compute import draw_score_against_compute
from hpo.dashboard.save_note import save_note
from hpo.dashboard.study_note import study_note
from hpo.search.best_trial import best_trial_of, expected_best_of
from hpo.search.configurations import configurations_of
from hpo.search.pareto import objectives_notice, pareto_front_of
from hpo.search.samplers import sampler_of
from hpo.storage import artifacts
from hpo.storage.error_log import attempt
from hpo.storage.local.file_locks import wait_for_lock
from hpo.storage.paths import RunPaths, StudyPaths
from hpo.storage.tables.dashboard_attributes import write_figure


def refresh(study: Study, config: StudyConfig, paths: StudyPaths) -> None:
    """Write the study's note and figures again; without any report of a trial there are no figures yet."""
    rows, baseline = trial_rows(study, config), load_ppca_baseline(paths)
    trials, front = plotted_trials(rows), pareto_front_of(((row.number, row.objectives) for row in rows), config)
    configurations, images = configurations_of(study), ImageCounts.from_dict(study.user_attrs["data"])
    with wait_for_lock(paths.overview_lock):
        if trials:
            linear = ppca_points(baseline)
            # A diverged trial lies so far out that the others could not be told apart.
            shown = [trial for trial in trials if trial.kind in ("finished", "pruned")] or trials
            marked = best_trial_of(configurations) or expected_best_of(configurations, sampler_of(study, config))
            searched = [trial for trial in trials if trial.kind not in ("continued", "confirmation")]
            for figure_id, figure in {
                "rate-distortion": draw_interactive_rate_distortion(
                    shown, linear, iso_scores([trial.val_bpd for trial in shown], images.n_dims)
                ),
                "learning-curves": draw_interactive_learning_curves(searched, marked),
                "score-against-compute": draw_score_against_compute(trials),
            }.items():
                write_figure(study, figure.to_json(), figure_id)
        if front:
            write_figure(study, draw_interactive_pareto_front(front, trials).to_json(), "pareto-front")
        results = findings(study, config, baseline or NO_BASELINE, paths)
        animation = artifacts.dashboard_url(study, study, paths.best.animation_gif.name)
        note = study_note(config.name, results, study.user_attrs, animation, objectives_notice(config))
        save_note(study, note)


def attach_run(study: Study, paths: StudyPaths, run: RunPaths) -> None:
    """Upload pictures, metrics and page of a retrained model as artifacts of its study, replacing earlier ones."""
    pictures = (run.animation_gif, run.animation_mp4, run.reconstructions, run.samples)
    for file in (*pictures, run.metrics_json, run.metrics_csv, run.page):
        if file.exists():
            artifacts.upload_or_replace(study, study, file, paths)


def try_to_refresh(study: Study, config: StudyConfig, paths: StudyPaths) -> str | None:
    """Refresh as a by-product of other work; return a message if an unforeseen error prevented it."""
    return attempt(
        lambda: refresh(study, config, paths),
        subject="the study's overview in the dashboard",
        heading="the study's overview in the dashboard",
        log=paths.errors,
    )
