"""Model card of a trained model, in the form of Hugging Face's hub: a head in YAML, then text."""

from collections.abc import Iterator

from hpo.analysis.formatting import counted, format_value
from hpo.analysis.run_metrics import RunMetrics
from hpo.storage.paths import ModelPaths
from model.config import TrainConfig

_IMAGES = {
    "cifar10": "CIFAR-10 (Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html). Its authors state no licence",
    "sample": "5,000 images of CIFAR-10 (Krizhevsky 2009, https://www.cs.toronto.edu/~kriz/cifar.html), whose authors "
    "state no licence. Scores on them are not CIFAR-10's",
    "folder": "a folder of images. State their origin and licence here",
}
_OTHER_SET = "the data set {name}. State its origin and licence here"
_USE = """Images are in [0, 1], float32 of shape (B, {shape}). Sixteen samples of the prior with ONNX
Runtime:

```python
import numpy as np
import onnxruntime

decoder = onnxruntime.InferenceSession("{decoder}")
codes = np.random.default_rng(0).standard_normal((16, {latent_dim}), dtype=np.float32)
(images,) = decoder.run(None, {{"codes": codes}})
```

and the codes of these images, as mean and log-variance of q(z|x):

```python
encoder = onnxruntime.InferenceSession("{encoder}")
mean, log_variance = encoder.run(None, {{"images": images}})
```

With PyTorch alone, `torch.export.load("{program}").module()` is the decoder. With the program that trained it:

```python
import json
from safetensors.torch import load_file
import model

with open("{settings}") as file:
    settings = json.load(file)
network = model.ConvVAE.from_config(model.TrainConfig.from_dict(settings["config"]))
network.load_state_dict(load_file("{weights}"))
```
"""


def model_card(metrics: RunMetrics, config: TrainConfig, paths: ModelPaths) -> str:
    """Return the card of a run's model, whose files have these paths."""
    return "\n".join(
        [*_head(metrics), "", *_description(metrics, config), "", *_scores(metrics), "", *_use(config, paths)]
    )


def _head(metrics: RunMetrics) -> Iterator[str]:
    yield "---"
    yield "license: mit"
    yield "library_name: pytorch"
    yield "pipeline_tag: unconditional-image-generation"
    yield "tags: [vae, variational-autoencoder, image-reconstruction, onnx]"
    if metrics.data.source in ("cifar10", "sample"):
        yield "datasets: [cifar10]"
    yield "---"


def _description(metrics: RunMetrics, config: TrainConfig) -> Iterator[str]:
    values = ", ".join(f"{name} {format_value(value)}" for name, value in metrics.hyperparameters.items())
    yield "# Convolutional variational autoencoder"
    yield ""
    yield (
        f"Architecture `{config.architecture}`, {config.latent_dim} latent dimensions, trained for "
        f"{counted(config.epochs, 'epoch')} on {metrics.data.n_train:,} images: {_images(metrics.data.source)}."
    )
    yield ""
    yield f"Values: {values}; seed {metrics.seed}."
    yield ""
    yield (
        "The model and its code are under the MIT licence. It is for study: samples of the prior are not natural "
        "images, and nothing is known of its behaviour on images of other kinds."
    )


def _images(source: str) -> str:
    return _IMAGES.get(source) or _OTHER_SET.format(name=source.rpartition(":")[2])


def _scores(metrics: RunMetrics) -> Iterator[str]:
    yield "## Scores"
    yield ""
    yield "In bits per dimension, lower is better: the negative ELBO at β = 1, of a Gaussian with one σ for all pixels."
    yield ""
    yield "| images | model | probabilistic PCA of the same size |"
    yield "|---|---:|---:|"
    yield f"| validation, {metrics.data.n_val:,} | {metrics.val_bpd:.4f} | {_shown(metrics.ppca_val_bpd)} |"
    if metrics.test:
        yield f"| test, {metrics.data.n_test:,} | {metrics.test.bpd:.4f} | {_shown(metrics.test.ppca_bpd)} |"
        yield ""
        yield f"PSNR of test reconstructions: {metrics.test.psnr_db:.1f} dB; rate: {metrics.test.rate_nats:.0f} nats."
    yield ""
    yield f"σ = {metrics.sigma:.4f}; {metrics.active_units} of the latent dimensions are active."


def _shown(score: float | None) -> str:
    return "too few images" if score is None else f"{score:.4f}"


def _use(config: TrainConfig, paths: ModelPaths) -> Iterator[str]:
    yield "## Use"
    yield ""
    files = {
        "decoder": paths.onnx("decoder"),
        "encoder": paths.onnx("encoder"),
        "program": paths.program("decoder"),
        "settings": paths.settings,
        "weights": paths.weights,
    }
    names = {key: path.name for key, path in files.items()}
    yield _USE.format(shape=", ".join(map(str, config.image_shape)), latent_dim=config.latent_dim, **names)
