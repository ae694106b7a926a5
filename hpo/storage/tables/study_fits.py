"""The last hyperparameters of the Gaussian process in a study's database, where its workers share them."""

from collections.abc import Sequence
from dataclasses import dataclass

from optuna.study import Study

from hpo.storage.tables.study_attributes import system_attributes

# System attribute of a study: the last hyperparameters, and the key of the scores that they were fitted to.
_FIT = "hpo:fit"


@dataclass(frozen=True)
class StudyFits:
    """The last fit of any worker of a study, as all of them find it."""

    study: Study

    def get(self, key: str) -> list[float] | None:
        """Return the hyperparameters that were fitted to the scores of this key; None if these are not the last."""
        last = system_attributes(self.study, _FIT).get(_FIT)
        return last["hyperparameters"] if last and last["key"] == key else None

    def put(self, key: str, hyperparameters: Sequence[float]) -> None:
        """Let the other workers have these hyperparameters."""
        # As JSON, numbers keep every bit.
        self.study._storage.set_study_system_attr(
            self.study._study_id, _FIT, {"key": key, "hyperparameters": [*hyperparameters]}
        )
