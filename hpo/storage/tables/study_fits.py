"""The last hyperparameters of the Gaussian process in a study's database, where its workers share them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from optuna.study import Study

from hpo.storage.tables.study_attributes import system_attributes

# System attribute of a study: the last hyperparameters, and the key of the scores that they were fitted to. Without
# hyperparameters, a worker is just fitting them.
_FIT = "hpo:fit"
# A fit takes 4 to 9 s; who has not ended after so long may have been killed.
_LONGEST_FIT_S, _POLL_S = 30.0, 0.2


@dataclass(frozen=True)
class StudyFits:
    """The last fit of any worker of a study, as all of them find it."""

    study: Study

    def get_or_fit(self, key: str, fit: Callable[[], list[float]]) -> list[float]:
        """Return the hyperparameters that were fitted to the scores of this key, by `fit` if no worker has done so.

        While another worker fits them, wait for it: it began earlier, and its result is the same.
        """
        began = time.monotonic()
        while (last := self._last()) and last["key"] == key:
            if last["hyperparameters"] is not None:
                return list(last["hyperparameters"])
            if time.monotonic() - began > _LONGEST_FIT_S:
                break
            time.sleep(_POLL_S)
        self._write(key, None)
        hyperparameters = fit()
        self._write(key, hyperparameters)
        return hyperparameters

    def _last(self) -> dict[str, Any] | None:
        return system_attributes(self.study, _FIT).get(_FIT)

    def _write(self, key: str, hyperparameters: list[float] | None) -> None:
        # As JSON, numbers keep every bit.
        last = {"key": key, "hyperparameters": hyperparameters}
        self.study._storage.set_study_system_attr(self.study._study_id, _FIT, last)
