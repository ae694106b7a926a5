"""Several studies, each in a storage of its own, as one storage that is only read."""

import copy
import re
from collections.abc import Container
from typing import Any

from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

from hpo.storage.side_by_side.read_only_storage import ReadOnlyStorage
from hpo.storage.side_by_side.studies_in_results import NumberedStudy, StudiesInResults

# A trial's id is its study's number times this, plus its id in its own database. Browsers count exactly to 9e15.
_IDS = 10**9
# Names of optuna-dashboard's attributes of a study that belong to one of its trials.
_OF_TRIAL = re.compile(r"(dashboard:(?:artifacts:)?)(\d+)(?=:)")


def shared_trial_id(number: int, trial_id: int) -> int:
    """Return the id of a trial among those of all studies; an id that is one already stays."""
    return trial_id if trial_id >= _IDS else number * _IDS + trial_id


class CombinedStorage(ReadOnlyStorage):
    """Studies of `results/` side by side. A study's id is its number, a trial's that of `shared_trial_id`."""

    def __init__(self, studies: StudiesInResults) -> None:
        self._studies = studies

    def get_all_studies(self) -> list[FrozenStudy]:
        """Return the studies that are there now."""
        return [
            _shared_study(study, frozen)
            for study in self._studies.refresh()
            for frozen in study.storage.get_all_studies()
            if frozen._study_id == study.study_id
        ]

    def get_study_id_from_name(self, study_name: str) -> int:
        """Return the number of a study. Raises: KeyError: there is none of this name."""
        for study in self._studies.refresh():
            if study.name == study_name:
                return study.number
        raise KeyError(study_name)

    def get_study_name_from_id(self, study_id: int) -> str:
        """Return the name of a study."""
        return self._studies.by_number(study_id).name

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """Return the directions of a study's objectives."""
        study = self._studies.by_number(study_id)
        return study.storage.get_study_directions(study.study_id)

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """Return the user attributes of a study."""
        study = self._studies.by_number(study_id)
        return study.storage.get_study_user_attrs(study.study_id)

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """Return the system attributes of a study; where their names have a trial's id, the shared one."""
        study = self._studies.by_number(study_id)
        return _with_shared_ids(study.number, study.storage.get_study_system_attrs(study.study_id))

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """Return a trial."""
        number, own_id = divmod(trial_id, _IDS)
        return _shared_trial(number, self._studies.by_number(number).storage.get_trial(own_id))

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the trials of a study."""
        study = self._studies.by_number(study_id)
        trials = study.storage.get_all_trials(study.study_id, deepcopy=deepcopy, states=states)
        return [_shared_trial(study.number, trial) for trial in trials]


def _shared_study(study: NumberedStudy, frozen: FrozenStudy) -> FrozenStudy:
    shared = copy.copy(frozen)
    shared._study_id, shared.study_name = study.number, study.name
    shared.system_attrs = _with_shared_ids(study.number, frozen.system_attrs)
    return shared


def _shared_trial(number: int, trial: FrozenTrial) -> FrozenTrial:
    shared = copy.copy(trial)
    shared._trial_id = shared_trial_id(number, trial._trial_id)
    return shared


def _with_shared_ids(number: int, attributes: dict[str, Any]) -> dict[str, Any]:
    def with_shared_id(match: re.Match[str]) -> str:
        return f"{match[1]}{shared_trial_id(number, int(match[2]))}"

    return {_OF_TRIAL.sub(with_shared_id, name, count=1): value for name, value in attributes.items()}
