"""Saving notes of trials and studies without losing what a user wrote into them."""

from optuna.study import Study
from optuna.trial import Trial

from hpo.storage.tables.dashboard_attributes import read_note, write_note

# Also in notes of earlier versions: a change would duplicate their text.
_KEPT_BELOW = "*What you write below this line is kept.*"


def save_note(owner: Study | Trial, text: str) -> None:
    """Write `text` as the note of a study or trial; what a user wrote into the note is kept below it."""
    before = read_note(owner)
    note = f"{text}\n\n---\n\n{_KEPT_BELOW}\n\n{_user_text(before, text)}"
    # A user may be editing the note: saving an unchanged one would make the dashboard reject the user's version.
    if note != before:
        write_note(owner, note)


def _user_text(before: str, text: str) -> str:
    """Return the part of an earlier note that a user wrote.

    Without our line, that is the whole note, unless it starts like ours: then a kill cut our note short.
    """
    if _KEPT_BELOW in before:
        return before.partition(_KEPT_BELOW)[2].strip()
    is_ours = before.splitlines()[:1] == text.splitlines()[:1]
    return "" if is_ours else before.strip()
