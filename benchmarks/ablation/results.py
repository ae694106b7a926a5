"""Folder of the ablation's results."""

from benchmarks.tables import RESULTS

RUNS = RESULTS / "ablation.jsonl"
SPEEDS = RESULTS / "ablation_speed.jsonl"
