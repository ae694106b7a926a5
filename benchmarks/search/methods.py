"""Searches that are compared, each built from Optuna's own parts with their defaults."""

from collections.abc import Callable
from dataclasses import dataclass

from optuna.pruners import HyperbandPruner, MedianPruner, SuccessiveHalvingPruner
from optuna.samplers import GPSampler, RandomSampler, TPESampler

from benchmarks.search.optuna_search import OptunaSearch
from benchmarks.search.ours import Ours
from benchmarks.search.protocol import Search, Space
from benchmarks.search.ray_asha import RayAsha
from benchmarks.search.table import N_EPOCHS
from benchmarks.search.top_k import OneEpochTopK

OURS = "ours"
_OPTUNA = "benchmarks.search.optuna_search"


@dataclass(frozen=True)
class Method:
    """Factory of a search from a seed and the space, and a description in one line.

    `make` is a function of a module's top level, or a class: other processes import it. `sources`: the modules that
    decide what it does, apart from `make` itself; where one of them changes, it is run anew. `speed`: so many workers
    stand for one, and time is counted, not compute. `slow`: its sampler takes so long that fewer repetitions are made.
    `packages`: their versions decide, too, beside Optuna's.
    """

    make: Callable[[int, Space], Search]
    about: str
    sources: tuple[str, ...] = (_OPTUNA,)
    speed: int = 1
    slow: bool = False
    packages: tuple[str, ...] = ()


def _random(seed: int, space: Space) -> Search:
    return OptunaSearch(space, RandomSampler(seed))


def _tpe(seed: int, space: Space) -> Search:
    return OptunaSearch(space, TPESampler(seed=seed))


def _tpe_median(seed: int, space: Space) -> Search:
    return OptunaSearch(space, TPESampler(seed=seed), MedianPruner())


def _tpe_hyperband(seed: int, space: Space) -> Search:
    pruner = HyperbandPruner(min_resource=1, max_resource=N_EPOCHS, reduction_factor=3)
    return OptunaSearch(space, TPESampler(seed=seed), pruner)


def _tpe_sha(seed: int, space: Space) -> Search:
    return OptunaSearch(space, TPESampler(seed=seed), SuccessiveHalvingPruner())


def _gp(seed: int, space: Space) -> Search:
    return OptunaSearch(space, GPSampler(seed=seed))


def _one_epoch_top_k(seed: int, space: Space) -> Search:
    # 27 first epochs cost what the other nine of three runs do: a round's halves are equal.
    return OneEpochTopK(space, seed, n=27, k=3)


def _ray_asha(seed: int, space: Space) -> Search:
    return RayAsha(space, seed, reduction_factor=3)


def _promotion_random(seed: int, space: Space) -> Search:
    return Ours(seed, space, sampler="random")


def _promotion_tpe(seed: int, space: Space) -> Search:
    return Ours(seed, space, sampler="tpe")


def _ours(seed: int, space: Space) -> Search:
    return Ours(seed, space)


def _smac(seed: int, space: Space) -> Search:
    from benchmarks.search.peers.smac3 import Smac

    return Smac(space, seed)


def _syne_tune_bore(seed: int, space: Space) -> Search:
    from benchmarks.search.peers.syne_tune import SyneTune

    return SyneTune(space, seed, "bore")


def _syne_tune_kde(seed: int, space: Space) -> Search:
    from benchmarks.search.peers.syne_tune import SyneTune

    return SyneTune(space, seed, "kde")


_SHARED = "hpo.optunahub.samplers.learning_curves"
_PROMOTION = (
    "benchmarks.search.ours",
    "hpo.search.configurations",
    "hpo.search.scheduler",
    "hpo.search.samplers",
    f"{_SHARED}.configurations",
    f"{_SHARED}.pruner",
    f"{_SHARED}.successive_halving",
)
METHODS: dict[str, Method] = {
    OURS: Method(
        _ours,
        "ours: a Gaussian process of learning curves, halving with promotion by what it expects, reduction factor 3",
        (
            *_PROMOTION,
            f"{_SHARED}.sampler",
            f"{_SHARED}.learning_curve_model",
            f"{_SHARED}.learning_curve_gp",
            f"{_SHARED}.scores_to_fit",
        ),
    ),
    "random": Method(_random, "random search"),
    "random_2x": Method(_random, "random search at twice the budget (Li et al. 2017, Hyperband)", speed=2),
    "tpe": Method(_tpe, "Optuna's default: TPE, nothing pruned"),
    "tpe_median": Method(_tpe_median, "TPE with MedianPruner"),
    "tpe_hyperband": Method(_tpe_hyperband, "TPE with HyperbandPruner, reduction factor 3"),
    "tpe_sha": Method(_tpe_sha, "TPE with SuccessiveHalvingPruner"),
    "gp": Method(_gp, "GPSampler, nothing pruned", slow=True),
    "one_epoch_top_k": Method(
        _one_epoch_top_k,
        "rounds of 27 random ones for an epoch, the best 3 to the end",
        (_OPTUNA, "benchmarks.search.top_k"),
    ),
    "ray_asha": Method(
        _ray_asha, "Ray Tune's ASHA, reduction factor 3, with TPE", (_OPTUNA, "benchmarks.search.ray_asha")
    ),
}

# Ours without the sampler of learning curves: promotion by the scores at a rung.
PARTS: dict[str, Method] = {
    "promotion_random": Method(_promotion_random, "random search with our pauses and promotions", _PROMOTION),
    "promotion_tpe": Method(_promotion_tpe, "TPE with our pauses and promotions", _PROMOTION),
}

_PEERS = (_OPTUNA, "benchmarks.search.peers")
_SYNE_TUNE = (*_PEERS, "benchmarks.search.peers.syne_tune")
# Searches of other packages, which `requirements-peers.txt` installs.
PEERS: dict[str, Method] = {
    "smac": Method(
        _smac,
        "SMAC3's MultiFidelityFacade, Hyperband with a random forest; of its budgets, 2.7 and 8 epochs, the first is "
        "rounded to 3",
        (*_PEERS, "benchmarks.search.peers.smac3"),
        packages=("smac", "ConfigSpace", "scikit-learn"),
    ),
    "syne_tune_bore": Method(
        _syne_tune_bore, "Syne Tune's ASHA with BORE", _SYNE_TUNE, packages=("syne-tune", "xgboost")
    ),
    "syne_tune_kde": Method(
        _syne_tune_kde, "Syne Tune's ASHA with the densities of BOHB", _SYNE_TUNE, packages=("syne-tune", "statsmodels")
    ),
}
