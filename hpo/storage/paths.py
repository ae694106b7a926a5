"""Every file name of a study and of a finished run."""

import datetime
import itertools
from dataclasses import dataclass
from pathlib import Path

from hpo.config.schema import SHOWCASE_NAME, TRAIN_NAME

RESULTS = Path("results")
# Output folder of `train` where none is named.
TRAIN = RESULTS / TRAIN_NAME
# A real run that is kept with the project.
SHOWCASE = RESULTS / SHOWCASE_NAME


@dataclass(frozen=True)
class StudyPaths:
    """What one study leaves, below `results/<study>/`."""

    folder: Path

    @classmethod
    def of(cls, study_name: str) -> "StudyPaths":
        """The paths of a study by its name."""
        return cls(RESULTS / study_name)

    @property
    def database(self) -> Path:
        """Optuna's storage: SQLite."""
        return self.folder / "study.db"

    @property
    def artifacts(self) -> Path:
        """Optuna's artifact store."""
        return self.folder / "artifacts"

    @property
    def lock(self) -> Path:
        """Held by the process that works on the study; beside the folder, which may be moved aside meanwhile."""
        return self.folder.with_name(f".{self.folder.name}.lock")

    @property
    def ppca_baseline(self) -> Path:
        """Validation bits per dimension of probabilistic PCA at each size."""
        return self.folder / "ppca.json"

    @property
    def checkpoints(self) -> Path:
        """States of trials under way."""
        return self.folder / "checkpoints"

    def checkpoint(self, trial_number: int) -> Path:
        """The state of one trial under way."""
        return self.checkpoints / f"trial_{trial_number:04d}.pt"

    def trial(self, trial_number: int) -> "TrialPaths":
        """What one trial draws while it is under way."""
        return TrialPaths(self.checkpoints / f"trial_{trial_number:04d}")

    @property
    def claims(self) -> Path:
        """Whose trial is whose, while several workers share the study."""
        return self.folder / "claims"

    @property
    def next_claim(self) -> Path:
        """Held for the moment in which a worker takes a trial or lets go of one."""
        return self.claims / "next.lock"

    def claim(self, trial_number: int) -> Path:
        """Held by the worker of one trial; left behind only by one that died."""
        return self.claims / f"trial_{trial_number:04d}.lock"

    @property
    def next_page(self) -> Path:
        """Held for the moment in which a process writes the study's page in the dashboard."""
        return self.claims / "page.lock"

    def trial_claims(self) -> list[Path]:
        """The claims there are, of living workers and of dead ones."""
        return sorted(self.claims.glob("trial_*.lock"))

    @property
    def errors(self) -> Path:
        """Tracebacks of trials that failed."""
        return self.folder / "errors.log"

    @property
    def report(self) -> Path:
        """One page that tells the whole study."""
        return self.folder / "report" / "index.html"

    @property
    def export(self) -> "ExportPaths":
        """The study as tables."""
        return ExportPaths(self.folder / "export")

    @property
    def best(self) -> "RunPaths":
        """The retrained model."""
        return RunPaths(self.folder / "best")


@dataclass(frozen=True)
class ExportPaths:
    """A study as tables, each as text and as a data frame."""

    folder: Path

    @property
    def trials_csv(self) -> Path:
        """One row a trial."""
        return self.folder / "trials.csv"

    @property
    def trials_parquet(self) -> Path:
        """The same as a data frame."""
        return self.folder / "trials.parquet"

    @property
    def epochs_csv(self) -> Path:
        """One row a report of a trial."""
        return self.folder / "epochs.csv"

    @property
    def epochs_parquet(self) -> Path:
        """The same as a data frame."""
        return self.folder / "epochs.parquet"


@dataclass(frozen=True)
class _TrainingPaths:
    """What is drawn and written of any training, a trial's or a whole run's."""

    folder: Path

    @property
    def metrics_csv(self) -> Path:
        """The numbers at every report point; of a run, the untrained model's first."""
        return self.folder / "metrics.csv"

    @property
    def reconstructions(self) -> Path:
        """Validation images and their reconstructions."""
        return self.folder / "reconstructions.png"

    @property
    def samples(self) -> Path:
        """Images decoded from the prior; of a run, beside those from a mixture fitted to the encodings."""
        return self.folder / "samples.png"

    @property
    def animation_gif(self) -> Path:
        """Originals above, reconstructions below, epoch by epoch, the untrained model first."""
        return self.folder / "reconstruction_progress.gif"


@dataclass(frozen=True)
class TrialPaths(_TrainingPaths):
    """What one trial draws, below its folder until it is over; the pictures become artifacts under their names."""

    def frame(self, report: int) -> Path:
        """What the model made of images and draws at a report point; 0 is the untrained model."""
        return self.folder / f"frame_{report:05d}.npy"

    @property
    def learning_curve(self) -> Path:
        """Score, rate, error and learning rate over the epochs."""
        return self.folder / "learning_curve.png"


@dataclass(frozen=True)
class RunPaths(_TrainingPaths):
    """What one finished training run leaves."""

    @property
    def lock(self) -> Path:
        """Held by the process that makes the run, or draws it again."""
        return self.folder.with_name(f".{self.folder.name}.run.lock")

    @property
    def under_way(self) -> "RunPaths":
        """Where the run is built until it is whole, and goes on from when it was interrupted."""
        return RunPaths(self.folder.with_name(f".{self.folder.name}_under_way"))

    @property
    def state(self) -> Path:
        """Everything that a run under way needs to go on."""
        return self.folder / "state.pt"

    @property
    def config(self) -> Path:
        """How the run was trained."""
        return self.folder / "config.yaml"

    @property
    def metrics_json(self) -> Path:
        """The numbers at the end."""
        return self.folder / "metrics.json"

    @property
    def model(self) -> Path:
        """Weights and sigma."""
        return self.folder / "model.pt"

    @property
    def page(self) -> Path:
        """One page that shows all of it."""
        return self.folder / "index.html"

    @property
    def loss_curves(self) -> Path:
        """Bits per dimension, rate, error and learning rate over the epochs."""
        return self.folder / "loss_curves.png"

    @property
    def interpolations(self) -> Path:
        """Steps between real images, and between draws of the prior."""
        return self.folder / "interpolations.png"

    @property
    def traversals(self) -> Path:
        """What the dimensions of highest KL do to one image."""
        return self.folder / "traversals.png"

    @property
    def latent_pca(self) -> Path:
        """Posterior means along their two principal components."""
        return self.folder / "latent_pca.png"

    @property
    def latent_tsne(self) -> Path:
        """Posterior means as t-SNE lays them out."""
        return self.folder / "latent_tsne.png"

    @property
    def kl_per_dimension(self) -> Path:
        """How many nats each latent dimension carries."""
        return self.folder / "kl_per_dimension.png"

    @property
    def frames(self) -> Path:
        """The animation's frames, one picture each."""
        return self.folder / "reconstruction_frames"

    def frame(self, epoch: int) -> Path:
        """The frame at an epoch; 0 is the untrained model."""
        return self.frames / f"reconstruction_epoch_{epoch:03d}.png"

    @property
    def samples_frames(self) -> Path:
        """The frames of the second animation."""
        return self.folder / "samples_frames"

    def samples_frame(self, epoch: int) -> Path:
        """The prior draws' frame at an epoch; 0 is the untrained model."""
        return self.samples_frames / f"samples_epoch_{epoch:03d}.png"

    @property
    def samples_gif(self) -> Path:
        """The same draws of the prior, epoch by epoch."""
        return self.folder / "samples_progress.gif"

    @property
    def samples_mp4(self) -> Path:
        """The same as a video."""
        return self.folder / "samples_progress.mp4"

    @property
    def animation_mp4(self) -> Path:
        """The same as a video."""
        return self.folder / "reconstruction_progress.mp4"


def move_aside(folder: Path) -> Path | None:
    """Rename a folder out of the way; return where it is now, or None where there was none."""
    if not folder.exists():
        return None
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    suffixes = itertools.chain([""], (f"-{n}" for n in itertools.count(2)))
    places = (folder.with_name(f"{folder.name}-{stamp}{suffix}") for suffix in suffixes)
    return folder.rename(next(place for place in places if not place.exists()))
