"""Claims of trials by worker processes."""

from pathlib import Path

import pytest

from hpo.storage.claims import PARENT_DIED, parent_died, remove_stale_claims
from hpo.workers.trial_context import TrialContext
from hpo.workers.trial_events import TrialStarted
from hpo.workers.worker import run_trials


@pytest.mark.usefixtures("undrawn")
def test_claims_that_were_left_behind_are_removed_after_their_trials_have_ended(context: TrialContext) -> None:
    list(run_trials(context, 2, None))
    events = run_trials(context, 3, None)
    assert isinstance(next(events), TrialStarted)
    for number in (0, 1):
        context.paths.claim(number).touch()
    remove_stale_claims(context.study, context.paths)
    assert not context.paths.claim(0).exists() and not context.paths.claim(1).exists()
    assert context.paths.claim(2).exists(), "its trial is running"
    events.close()


def test_a_claim_that_an_earlier_version_marked_is_recognized(tmp_path: Path) -> None:
    claim = tmp_path / "claim"
    for text, expected in ((PARENT_DIED, True), ("its leader died", True), ("", False)):
        claim.write_text(text)
        assert parent_died(claim) == expected
