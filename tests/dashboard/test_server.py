"""Who can reach the dashboard, and what they are told."""

import pytest

from hpo.dashboard.server import warning


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_on_this_machine_alone_there_is_nothing_to_warn_of(host: str) -> None:
    assert warning(host) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::"])
def test_whoever_opens_it_to_others_is_told_that_it_has_no_authentication(host: str) -> None:
    assert "no authentication" in str(warning(host))
