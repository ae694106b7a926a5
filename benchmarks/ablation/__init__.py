"""Ablation of the model at equal time: one change after another, measured on the full training set."""
