"""Comparison of a trial's or run's last epoch with its best one."""

# Bits per dimension by which an earlier epoch must be better than the last one to be reported.
NOTABLE_BPD = 0.01
Row = dict[str, float]


def describe_earlier_best(row: Row) -> str:
    """Return score and epoch of the best report: `6.4000 at epoch 2`. Trials store this text."""
    return f"{row['val_bpd']:.4f} at epoch {row['epoch']:g}"


def earlier_best_notice(description: str) -> str:
    """Return the sentence, without its full stop, that terminal and pages show of `describe_earlier_best`'s text."""
    return f"An earlier epoch was better: {description}; the last epoch counts"


def earlier_best(history: list[Row]) -> Row | None:
    """Return the best report if it is better than the last one by more than NOTABLE_BPD; else None."""
    best = min(history, key=lambda row: row["val_bpd"])
    return best if best["val_bpd"] < history[-1]["val_bpd"] - NOTABLE_BPD else None
