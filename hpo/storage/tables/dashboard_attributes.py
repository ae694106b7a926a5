"""Notes and figures as optuna-dashboard stores them, without reading the notes of all other trials."""

from typing import Any

from optuna.study import Study
from optuna.trial import Trial
from optuna_dashboard._custom_plot_data import SYSTEM_ATTR_PLOT_DATA, save_graph_object_json
from optuna_dashboard._note import get_note_from_system_attrs, save_note_with_version

from hpo.storage.tables.study_attributes import AttributesOfPrefix


def read_note(owner: Study | Trial) -> str:
    """Return the note of a study or trial; empty if it has none."""
    study, trial_id = _ids(owner)
    attributes = _notes(study, trial_id).get_study_system_attrs(study._study_id)
    return str(get_note_from_system_attrs(attributes, trial_id)["body"])


def write_note(owner: Study | Trial, text: str) -> None:
    """Write the note of a study or trial as a new version, as `optuna_dashboard.save_note` does."""
    study, trial_id = _ids(owner)
    storage: Any = _notes(study, trial_id)
    version = get_note_from_system_attrs(storage.get_study_system_attrs(study._study_id), trial_id)["version"]
    save_note_with_version(storage, study._study_id, trial_id, version + 1, text)


def write_figure(study: Study, figure_json: str, figure_id: str) -> None:
    """Write or replace a plotly figure of a study, as `optuna_dashboard.save_plotly_graph_object` does."""
    prefix = f"{SYSTEM_ATTR_PLOT_DATA}{figure_id}:"
    storage: Any = AttributesOfPrefix(study, prefix)
    save_graph_object_json(storage, study._study_id, prefix, figure_json)


def _ids(owner: Study | Trial) -> tuple[Study, int | None]:
    return (owner, None) if isinstance(owner, Study) else (owner.study, owner._trial_id)


def _notes(study: Study, trial_id: int | None) -> AttributesOfPrefix:
    return AttributesOfPrefix(study, "dashboard:note_" if trial_id is None else f"dashboard:{trial_id}:note_")
