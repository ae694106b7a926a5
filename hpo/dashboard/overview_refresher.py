"""Refreshing a study's overview while its trials run."""

import math
import time
from collections.abc import Callable

from optuna.study import Study

from hpo.config.schema import StudyConfig
from hpo.storage.database import DATABASE_ERRORS, is_busy, reason_of
from hpo.storage.paths import StudyPaths

# Time between two refreshes while trials run; a refresh takes 0.03 to 0.2 s, depending on the number of trials.
REFRESH_S = 10.0


class OverviewRefresher:
    """Refreshes a study's overview while trials run; what prevents it becomes a notice.

    An unforeseen error and a database that other processes keep locked do not end the search: the next refresh writes
    everything again. A full disk, a removed folder and a damaged database do: the next report would meet them too.
    """

    def __init__(self, study: Study, config: StudyConfig, paths: StudyPaths, on_notice: Callable[[str], None]) -> None:
        self._study, self._config, self._paths = study, config, paths
        self._on_notice = on_notice
        self._refreshed = -math.inf

    def refresh_if_due(self) -> None:
        """Refresh if the last time is REFRESH_S seconds ago."""
        if time.monotonic() - self._refreshed >= REFRESH_S:
            self.refresh()
            self._refreshed = time.monotonic()

    def refresh(self) -> None:
        """Refresh now.

        Raises: EXPECTED_ERRORS: but not a locked database.
        """
        # Imported late: the libraries that draw take seconds, and the first trial begins without them.
        from hpo.dashboard.study_overview import try_to_refresh

        try:
            message = try_to_refresh(self._study, self._config, self._paths)
        except DATABASE_ERRORS as error:
            if not is_busy(error):
                raise
            message = f"the study's overview in the dashboard was not refreshed ({reason_of(error)})"
        if message:
            self._on_notice(message)
