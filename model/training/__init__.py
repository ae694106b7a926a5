"""Training loop, training state, batch order, checkpoints and initial weights."""
