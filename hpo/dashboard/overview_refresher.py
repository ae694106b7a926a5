"""Refreshing a study's overview while its trials run."""

import math
import time

from optuna.study import Study

from hpo.config.schema import StudyConfig
from hpo.dashboard.study_overview import try_to_refresh
from hpo.storage.paths import StudyPaths

# Time between two refreshes while trials run; a refresh takes 0.03 to 0.2 s, depending on the number of trials.
REFRESH_S = 10.0


class OverviewRefresher:
    """Refreshes a study's overview while trials run."""

    def __init__(self, study: Study, config: StudyConfig, paths: StudyPaths) -> None:
        self._study, self._config, self._paths = study, config, paths
        self._refreshed = -math.inf

    def refresh_if_due(self) -> str | None:
        """Refresh if the last time is REFRESH_S seconds ago; return a message if an unforeseen error prevented it."""
        if time.monotonic() - self._refreshed < REFRESH_S:
            return None
        message = self.refresh()
        self._refreshed = time.monotonic()
        return message

    def refresh(self) -> str | None:
        """Refresh now; return a message if an unforeseen error prevented it."""
        return try_to_refresh(self._study, self._config, self._paths)
