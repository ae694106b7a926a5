"""Warning about hosts from which others can reach the dashboard."""

import pytest

from hpo.dashboard.server import warning


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_hosts_of_this_machine_alone_need_no_warning(host: str) -> None:
    assert warning(host) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::"])
def test_hosts_that_others_reach_need_a_warning_of_missing_authentication(host: str) -> None:
    assert "no authentication" in str(warning(host))
