"""Meaning of the score, in one sentence for a study's attribute and in four for its note."""

from hpo.analysis.ppca_baseline import PPCA_EXPLANATION

_DEFINITION = (
    "val_bpd: the negative ELBO at β = 1 on the validation split in bits per dimension, with σ calibrated on training "
    "images; lower is better"
)
_COMPARABLE = "every β, latent dimension, learning rate and batch size"
SCORE = f"{_DEFINITION}, and comparable across {_COMPARABLE}"
SCORE_EXPLANATION = (
    f"Trials are compared by {_DEFINITION}. It is the number of bits that the model needs for one of an image's "
    "values (3,072 for 32x32 pixels in colour): the sum of the rate (the information about an image in its code) and "
    "the distortion (the information that the code lacks). β is not part of it, since with a loss weighted by β the "
    f"smallest β would win by construction; so one number compares {_COMPARABLE}. {PPCA_EXPLANATION}"
)
