"""Every file name of a study and of a finished run."""

from dataclasses import dataclass
from pathlib import Path

RESULTS = Path("results")
# Of the study that stands in, on the bundled sample, where CIFAR-10 could not be fetched.
SAMPLE_SUFFIX = "-sample"


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
    def retrain_lock(self) -> Path:
        """Held by the process that retrains."""
        return self.folder.with_name(f".{self.folder.name}.retrain.lock")

    @property
    def yardstick(self) -> Path:
        """Validation bits per dimension of probabilistic PCA at each size."""
        return self.folder / "ppca.json"

    @property
    def checkpoints(self) -> Path:
        """States of trials under way."""
        return self.folder / "checkpoints"

    def checkpoint(self, trial_number: int) -> Path:
        """The state of one trial under way."""
        return self.checkpoints / f"trial_{trial_number:04d}.pt"

    @property
    def best(self) -> "RunPaths":
        """The retrained model."""
        return RunPaths(self.folder / "best")

    @property
    def best_under_way(self) -> "RunPaths":
        """The retraining under way, built aside."""
        return RunPaths(self.folder / ".best_under_way")


@dataclass(frozen=True)
class RunPaths:
    """What one finished training run leaves."""

    folder: Path

    @property
    def config(self) -> Path:
        """How the run was trained."""
        return self.folder / "config.yaml"

    @property
    def metrics_json(self) -> Path:
        """The numbers at the end."""
        return self.folder / "metrics.json"

    @property
    def metrics_csv(self) -> Path:
        """The numbers at every report point, the untrained model first."""
        return self.folder / "metrics.csv"

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
    def reconstructions(self) -> Path:
        """Validation images and their reconstructions."""
        return self.folder / "reconstructions.png"

    @property
    def samples(self) -> Path:
        """Images decoded from the prior, beside those from a mixture fitted to the encodings."""
        return self.folder / "samples.png"

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
    def animation_gif(self) -> Path:
        """Originals above, reconstructions below, epoch by epoch."""
        return self.folder / "reconstruction_progress.gif"

    @property
    def animation_mp4(self) -> Path:
        """The same as a video."""
        return self.folder / "reconstruction_progress.mp4"
