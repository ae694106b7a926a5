"""Base of Optuna storages that are read and never written."""

from collections.abc import Sequence
from typing import Any, Never

from optuna.distributions import BaseDistribution
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState


class ReadOnlyStorage(BaseStorage):
    """A storage whose calls that write raise NotImplementedError."""

    def create_new_study(self, directions: Sequence[StudyDirection], study_name: str | None = None) -> Never:
        """Refuse."""
        raise NotImplementedError

    def delete_study(self, study_id: int) -> Never:
        """Refuse."""
        raise NotImplementedError

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> Never:
        """Refuse."""
        raise NotImplementedError

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> Never:
        """Refuse."""
        raise NotImplementedError

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> Never:
        """Refuse."""
        raise NotImplementedError

    def set_trial_param(
        self, trial_id: int, param_name: str, param_value_internal: float, distribution: BaseDistribution
    ) -> Never:
        """Refuse."""
        raise NotImplementedError

    def set_trial_state_values(self, trial_id: int, state: TrialState, values: Sequence[float] | None = None) -> Never:
        """Refuse."""
        raise NotImplementedError

    def set_trial_intermediate_value(self, trial_id: int, step: int, intermediate_value: float) -> Never:
        """Refuse."""
        raise NotImplementedError

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> Never:
        """Refuse."""
        raise NotImplementedError

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> Never:
        """Refuse."""
        raise NotImplementedError
