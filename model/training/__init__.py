"""Training loop, batch order, checkpoints and initial weights."""
