"""Comparison of a trial's or run's last epoch with its best one."""

# Bits per dimension by which an earlier epoch must be better than the last one to be reported.
NOTABLE_BPD = 0.01
Row = dict[str, float]


def earlier_best(history: list[Row]) -> Row | None:
    """Return the best report if it is better than the last one by more than NOTABLE_BPD; else None."""
    best = min(history, key=lambda row: row["val_bpd"])
    return best if best["val_bpd"] < history[-1]["val_bpd"] - NOTABLE_BPD else None
