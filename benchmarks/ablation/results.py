"""Where the ablation's results lie."""

from benchmarks.tables import RESULTS

RUNS = RESULTS / "ablation.jsonl"
SPEEDS = RESULTS / "ablation_speed.jsonl"
