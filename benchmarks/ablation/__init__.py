"""What makes the model better at equal time: one change after another, measured on the full training set."""
