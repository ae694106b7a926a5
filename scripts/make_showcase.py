"""Makes results/showcase from a study on the full CIFAR-10 and its retrained model: `make showcase` runs it last."""

import csv
import io
import shutil
from pathlib import Path

import typer
from optuna.study import Study

from hpo.analysis.earlier_best import earlier_best
from hpo.analysis.formatting import counted
from hpo.analysis.ppca_baseline import ppca_verdict
from hpo.analysis.run_metrics import RunMetrics, read_history, read_run_metrics
from hpo.cli.console import print_lines
from hpo.cli.exit_codes import reports_errors
from hpo.config.dataset_with_fallback import load_images
from hpo.optunahub.samplers.learning_curves.configurations import CONTINUES
from hpo.search.best_trial import BestTrial, MarkedTrial, best_trial_of, expected_best_of
from hpo.search.configurations import CONFIRMS, Configuration, configurations_of, end_of, ended_trials
from hpo.search.samplers import sampler_of
from hpo.storage.database import StudyError
from hpo.storage.open_study import open_study
from hpo.storage.paths import SHOWCASE, ExportPaths, RunPaths
from model.atomic_files import replacing, write_text
from scripts.half_weights import write_half_weights

_CAPTIONS = {
    "loss_curves": "score, rate, error and learning rate, epoch by epoch",
    "reconstructions": "what survives the rate; the best and the worst",
    "samples": "draws of the prior beside draws of a mixture fitted to the encodings",
    "samples_mp4": "the same draws of the prior, epoch by epoch",
    "interpolations": "from one image to another, and between draws of the prior",
    "traversals": "what the twelve costliest dimensions do to one image",
    "latent_pca": "neighbours share brightness and layout, hardly their class",
    "latent_tsne": "the same of t-SNE's neighbourhoods",
    "kl_per_dimension": "how the rate is spread over the dimensions",
}
_COPIED = (*_CAPTIONS, "animation_gif", "metrics_json", "metrics_csv", "config")
_FACTS = ("epoch", "val_rate_nats", "val_mse", "sigma", "images_per_second", "elapsed_s")


def publish(study: Study, best: RunPaths, folder: Path) -> None:
    """Copy the pictures and numbers of a retrained model to `folder`, with its study's trials and a page on both."""
    for name in _COPIED:
        source: Path = getattr(best, name)
        with replacing(folder / source.name) as temporary:
            shutil.copyfile(source, temporary)
    write_text(ExportPaths(folder).trials_csv, trials_table(study))
    write_text(folder / "README.md", page(study, read_run_metrics(best.metrics_json), best))


def trials_table(study: Study) -> str:
    """Return one row per trial, as CSV."""
    trials = study.get_trials(deepcopy=False)
    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["trial", CONTINUES, CONFIRMS, *names, "state", "end", "val_bpd", *_FACTS])
    for trial in trials:
        reported = trial.intermediate_values
        last = reported[max(reported)] if reported else None
        values = [*map(trial.user_attrs.get, (CONTINUES, CONFIRMS)), *map(trial.params.get, names)]
        facts = [trial.user_attrs.get(name) for name in _FACTS]
        writer.writerow([trial.number, *values, trial.state.name.lower(), end_of(trial), last, *facts])
    return text.getvalue()


def page(study: Study, metrics: RunMetrics, best: RunPaths) -> str:
    """Return the folder's README: search and retraining with their results, and the pictures."""
    rows = "\n".join(
        f"| [{(path := getattr(best, name)).name}]({path.name}) | {_CAPTIONS[name]} |" for name in _CAPTIONS
    )
    return f"""# A real run on CIFAR-10

Made by `make showcase` on the whole data set ({metrics.device}, {metrics.precision}): the search at commit
{study.user_attrs["git_commit"]}, the retraining at {metrics.git_commit}.

- {_search(study, metrics)}
- {_retraining(metrics, best)}

| picture | what to look for |
|---|---|
{rows}
"""


def _search(study: Study, metrics: RunMetrics) -> str:
    configurations = [
        configuration for configuration in configurations_of(study) if configuration.trials[0].state.is_finished()
    ]
    n_finished = sum(configuration.value is not None for configuration in configurations)
    best, origin = best_trial_of(configurations), metrics.origin
    assert origin is not None, "a trial was retrained"
    table = ExportPaths(SHOWCASE).trials_csv.name
    n_configurations, n_trials = len(configurations), len(ended_trials(study))
    count = (
        f"The search: {counted(n_configurations, 'configuration')} in {counted(n_trials, 'trial')}, {n_finished} of "
        f"them trained to the end ([{table}]({table})). Chosen was trial {origin.trial}: val_bpd {origin.val_bpd:.3f} "
        f"after {counted(origin.epochs, 'epoch')}"
    )
    if best is None:
        if origin.expected_bpd is None:
            return f"{count}; none had finished, and it was the best of those trained furthest."
        return f"{count}; none had finished, and it was expected to end best, at {origin.expected_bpd:.3f}."
    return f"{count}{_confirmed(best)}{_runner_up(best, configurations)}."


def _confirmed(best: BestTrial) -> str:
    n_seeds = len(best.confirmation_scores)
    return f", {best.score:.3f} by the mean of {counted(n_seeds, 'new seed')}" if n_seeds else ""


def _runner_up(best: BestTrial, configurations: list[Configuration]) -> str:
    """Return the second best trial if it was judged in the same way; else an empty text."""
    second = best_trial_of(
        configuration for configuration in configurations if configuration.last_trial.number != best.number
    )
    if second is None or len(second.confirmation_scores) != len(best.confirmation_scores):
        return ""
    return f"; next came trial {second.number} with {second.score:.3f}"


def _retraining(metrics: RunMetrics, best: RunPaths) -> str:
    assert metrics.test is not None, "a retraining scores the test split"
    files = ", ".join(f"[{path.name}]({path.name})" for path in (best.metrics_json, best.metrics_csv, best.config))
    retraining = (
        f"The retraining of that trial, {metrics.epochs} epochs with a seed of its own ({files}): "
        f"val_bpd {metrics.val_bpd:.3f}; on the test split, scored once, test_bpd {metrics.test.bpd:.3f} "
        f"(rate {metrics.test.rate_nats:.1f} nats, mean squared error {metrics.test.mse:.5f}, "
        f"{metrics.test.psnr_db:.1f} dB)."
    )
    if metrics.test.ppca_bpd is None:
        return retraining
    overfitted = earlier_best(read_history(best.metrics_csv)) is not None
    verdict = ppca_verdict(metrics.test.bpd, metrics.test.ppca_bpd, overfitted=overfitted).text
    return (
        f"{retraining} Probabilistic PCA with the same number of dimensions scores {metrics.test.ppca_bpd:.3f} there: "
        f"{verdict}."
    )


@reports_errors("Stopped.")
def main(study_name: str) -> None:
    """Publish a study that was tuned and retrained on the full CIFAR-10."""
    opened = open_study(study_name)
    study, paths, configurations = opened.study, opened.paths, configurations_of(opened.study)
    best: MarkedTrial | None = best_trial_of(configurations)
    if best is None:
        best = expected_best_of(configurations, sampler_of(study, opened.config))
    if best is None or not paths.best.metrics_json.exists():
        raise StudyError(f"{paths.best.folder}: is not there; run make showcase, with CIFAR-10 at hand")
    metrics = read_run_metrics(paths.best.metrics_json)
    if metrics.data.source != "cifar10":
        raise StudyError(f"{paths.best.folder}: was not made on the full CIFAR-10, which a showcase must be")
    trial = metrics.origin.trial if metrics.origin else None
    if trial != best.number:
        raise StudyError(
            f"{paths.best.folder}: is of trial {trial}, the study's choice is trial {best.number}; run make "
            f"best-retrain STUDY={study_name}, without TRIAL"
        )
    publish(study, paths.best, SHOWCASE)
    data, _ = load_images(opened.config.data)
    moved = write_half_weights(paths.best.model, RunPaths(SHOWCASE).model, data.validation.pixels)
    print_lines(f"The weights have 16 bits there: the validation score moves by {moved:.1e} bits per dimension")
    print_lines(f"Next: look at {SHOWCASE}, and let README.md follow its numbers (make test tells which)")


if __name__ == "__main__":
    typer.run(main)
