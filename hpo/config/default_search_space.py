"""Search space of a study whose file has none: it follows from the number of training images."""

from hpo.config.hyperparameters import Choices, Hyperparameters, Range

_BATCH_SIZES = (8, 16, 32, 64, 128)
# Of those that fit, the largest: with 512 dimensions, an epoch at 16 takes 2.6 times as long as at 64 (bfloat16).
_N_BATCH_SIZES = 3
# Updates in a pass over the images, at least, as long as there are two batch sizes to choose from.
_FEWEST_UPDATES = 16
# A direction of the images needs some of them to be determined, whether a linear model or a network finds it.
_IMAGES_PER_DIMENSION = 10
_SHORTEST_CODE, _LONGEST_CODE = 32, 512
_LONGEST_BY_SHORTEST = 16
# With fewer training images, shifted copies are worth their time; with more, new images do the same.
N_IMAGES_UNSHIFTED = 20_000


def default_search_space(n_train: int, report_every: float = 1.0, n_features: int = _LONGEST_CODE) -> Hyperparameters:
    """Return what is searched with `n_train` training images.

    Args:
        n_train: number of training images, 80 or more.
        report_every: epochs between two reports; a batch has no more images than are seen between them.
        n_features: features of the network; a code has no more dimensions.
    """
    longest = min(max(n_train // _IMAGES_PER_DIMENSION, _SHORTEST_CODE), _LONGEST_CODE, n_features)
    is_small = n_train < N_IMAGES_UNSHIFTED
    largest = min(max(n_train // _FEWEST_UPDATES, _BATCH_SIZES[1]), int(report_every * n_train + 1e-6))
    fitting = [size for size in _BATCH_SIZES if size <= largest] or [max(largest, 2)]
    return Hyperparameters(
        beta=Range[float](low=0.3, high=3.0, log=True),
        latent_dim=Range[int](low=max(1, longest // _LONGEST_BY_SHORTEST), high=max(2, longest), log=True),
        learning_rate=Range[float](low=1e-3, high=3e-2, log=True),
        batch_size=Choices[int](choices=tuple(fitting[-_N_BATCH_SIZES:])),
        # After 20 epochs of the sample, half a cosine is better by 0.01 (benchmarks/SCHEDULES.md).
        schedule="cosine" if is_small else "schedule_free",
        warmup_epochs=1.0 if is_small else 0.2,
        max_shift=1 if is_small else 0,
    )
