"""Files of the ablation's results."""

from benchmarks.tables import RESULTS

RUNS = RESULTS / "ablation.jsonl"
SPEEDS = RESULTS / "ablation_speed.jsonl"
# Scores of probabilistic PCA on the same images, by the length of the code.
PPCA = RESULTS / "ablation_ppca.jsonl"
