"""Commands as messages name them, in a checkout and where the program is installed."""

import pytest

from hpo import user_commands
from hpo.user_commands import user_command


def test_a_checkout_names_makes_targets_and_an_installed_program_its_own_commands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def named() -> list[str]:
        return [
            user_command("retrain", "my study.yaml", trial=3),
            user_command("tune", "quick", from_study="other"),
            user_command("dashboard"),
        ]

    assert named() == [
        "make best-retrain STUDY='my study.yaml' TRIAL=3",
        "make tune STUDY=quick FROM_STUDY=other",
        "make dashboard",
    ]
    monkeypatch.setattr(user_commands, "IS_CHECKOUT", False)
    assert named() == [
        "hpo retrain 'my study.yaml' --trial 3",
        "hpo tune quick --from-study other",
        "hpo dashboard",
    ]
