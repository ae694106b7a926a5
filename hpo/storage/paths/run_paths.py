"""Paths of the files of one training: of a trial while it runs, and of a full-length run."""

from dataclasses import dataclass
from pathlib import Path

from hpo.config.schema import SHOWCASE_NAME, TRAIN_NAME

RESULTS = Path("results")
# Default output folder of `train`.
TRAIN = RESULTS / TRAIN_NAME
# A real run that is kept with the project.
SHOWCASE = RESULTS / SHOWCASE_NAME


@dataclass(frozen=True)
class _TrainingPaths:
    """Files of any training, a trial's or a full-length run's."""

    folder: Path

    @property
    def metrics_csv(self) -> Path:
        """Metrics of every report; the first row of a run is the untrained model's."""
        return self.folder / "metrics.csv"

    @property
    def reconstructions(self) -> Path:
        """Validation images and their reconstructions."""
        return self.folder / "reconstructions.png"

    @property
    def samples(self) -> Path:
        """Images decoded from the prior; for a run, beside those from a mixture fitted to the encodings."""
        return self.folder / "samples.png"

    @property
    def animation_gif(self) -> Path:
        """Animation of originals above reconstructions, epoch by epoch, the untrained model first."""
        return self.folder / "reconstruction_progress.gif"


@dataclass(frozen=True)
class TrialPaths(_TrainingPaths):
    """Files that one trial draws, kept until it ends; the pictures become artifacts of the same names."""

    def frame(self, report: int) -> Path:
        """Return the path of the reconstructions and samples at a report; report 0 is the untrained model."""
        return self.folder / f"frame_{report:05d}.npy"

    @property
    def learning_curve(self) -> Path:
        """Score, rate, error and learning rate over the epochs."""
        return self.folder / "learning_curve.png"

    def pictures(self) -> tuple[Path, ...]:
        """Return the pictures that become artifacts."""
        return self.reconstructions, self.samples, self.learning_curve, self.animation_gif


@dataclass(frozen=True)
class ModelPaths:
    """A trained model in the formats of other programs."""

    folder: Path

    @classmethod
    def of_run(cls, run: Path) -> "ModelPaths":
        """Return the paths of the model of a run's folder."""
        return cls(run / "export")

    @property
    def weights(self) -> Path:
        """Weights for PyTorch and others."""
        return self.folder / "model.safetensors"

    @property
    def settings(self) -> Path:
        """Configuration of the training, and sigma."""
        return self.folder / "config.json"

    @property
    def card(self) -> Path:
        """Model card: what the model is, how good, and how it is used."""
        return self.folder / "README.md"

    def onnx(self, part: str) -> Path:
        """Return the path of the encoder or the decoder for ONNX."""
        return self.folder / f"{part}.onnx"

    def program(self, part: str) -> Path:
        """Return the path of the encoder or the decoder as torch.export saves it."""
        return self.folder / f"{part}.pt2"

    def all_files(self) -> tuple[Path, ...]:
        """Return the paths of all of them."""
        of_parts = (path for part in ("encoder", "decoder") for path in (self.onnx(part), self.program(part)))
        return self.weights, self.settings, self.card, *of_parts


@dataclass(frozen=True)
class RunPaths(_TrainingPaths):
    """Files of one full-length training run."""

    @property
    def lock(self) -> Path:
        """Lock of the process that trains or redraws the run."""
        return self.folder.with_name(f".{self.folder.name}.run.lock")

    @property
    def errors(self) -> Path:
        """Tracebacks of pictures and pages that could not be made; beside the folder, which may not exist yet."""
        return self.folder.with_name(f".{self.folder.name}.errors.log")

    @property
    def under_way(self) -> "RunPaths":
        """Folder of an unfinished run; it is renamed when the run is complete, and resumed if it was interrupted."""
        return RunPaths(self.folder.with_name(f".{self.folder.name}_under_way"))

    @property
    def state(self) -> Path:
        """Checkpoint from which an unfinished run is resumed."""
        return self.folder / "state.pt"

    @property
    def config(self) -> Path:
        """Record of how the run was trained."""
        return self.folder / "config.yaml"

    @property
    def metrics_json(self) -> Path:
        """Metrics at the end of the run."""
        return self.folder / "metrics.json"

    @property
    def model(self) -> Path:
        """Weights and sigma."""
        return self.folder / "model.pt"

    @property
    def page(self) -> Path:
        """HTML page with every result of the run."""
        return self.folder / "index.html"

    @property
    def loss_curves(self) -> Path:
        """Bits per dimension, rate, error and learning rate over the epochs."""
        return self.folder / "loss_curves.png"

    @property
    def linear_models(self) -> Path:
        """Validation score beside those of linear models of every size."""
        return self.folder / "linear_models.png"

    @property
    def interpolations(self) -> Path:
        """Interpolations between real images, and between draws from the prior."""
        return self.folder / "interpolations.png"

    @property
    def traversals(self) -> Path:
        """Traversals: one image while the latent dimensions of highest KL vary, each alone."""
        return self.folder / "traversals.png"

    @property
    def code_sliders(self) -> Path:
        """Decoder, codes and strongest dimensions, with which the page decodes what a reader sets."""
        return self.folder / "code_sliders.json"

    @property
    def latent_pca(self) -> Path:
        """Posterior means along their two principal components."""
        return self.folder / "latent_pca.png"

    @property
    def latent_tsne(self) -> Path:
        """Posterior means as t-SNE arranges them."""
        return self.folder / "latent_tsne.png"

    @property
    def kl_per_dimension(self) -> Path:
        """KL divergence of each latent dimension, in nats."""
        return self.folder / "kl_per_dimension.png"

    @property
    def frames(self) -> Path:
        """Folder of the reconstruction animation's frames."""
        return self.folder / "reconstruction_frames"

    def frame(self, epoch: int, *, is_pca: bool = False) -> Path:
        """Return the path of the reconstruction frame at an epoch.

        Epoch 0 is the untrained model, or with `is_pca` the model that was just set to pPCA.
        """
        return self.frames / f"reconstruction_epoch_{_number(epoch, is_pca)}.png"

    @property
    def samples_frames(self) -> Path:
        """Folder of the sample animation's frames."""
        return self.folder / "samples_frames"

    def samples_frame(self, epoch: int, *, is_pca: bool = False) -> Path:
        """Return the path of the sample frame at an epoch, see `frame`."""
        return self.samples_frames / f"samples_epoch_{_number(epoch, is_pca)}.png"

    @property
    def samples_gif(self) -> Path:
        """Animation of the same draws from the prior, epoch by epoch."""
        return self.folder / "samples_progress.gif"

    @property
    def samples_mp4(self) -> Path:
        """The sample animation as a video."""
        return self.folder / "samples_progress.mp4"

    @property
    def animation_mp4(self) -> Path:
        """The reconstruction animation as a video."""
        return self.folder / "reconstruction_progress.mp4"


def _number(epoch: int, is_pca: bool) -> str:
    return f"{epoch:03d}_ppca" if is_pca else f"{epoch:03d}"
