"""One trial: sample, train, report, prune. A plain generator: between two events the caller may stop."""

# An earlier epoch better than the last by more than this many bits per dimension is worth a word.
NOTABLE_BPD = 0.01
Row = dict[str, float]


def earlier_best(history: list[Row]) -> Row | None:
    """The best report, where it beats the last by more than NOTABLE_BPD."""
    best = min(history, key=lambda row: row["val_bpd"])
    return best if best["val_bpd"] < history[-1]["val_bpd"] - NOTABLE_BPD else None
