"""Every file name of a study and of a run."""

from hpo.storage.paths.comparison_path import comparison_page
from hpo.storage.paths.move_aside import move_aside
from hpo.storage.paths.run_paths import RESULTS, SHOWCASE, TRAIN, ModelPaths, RunPaths, TrialPaths
from hpo.storage.paths.study_paths import ExportPaths, StudyPaths, study_names
from hpo.storage.paths.tracker_paths import Tracker, TrackerPaths

__all__ = [
    "RESULTS",
    "SHOWCASE",
    "TRAIN",
    "ExportPaths",
    "ModelPaths",
    "RunPaths",
    "StudyPaths",
    "Tracker",
    "TrackerPaths",
    "TrialPaths",
    "comparison_page",
    "move_aside",
    "study_names",
]
