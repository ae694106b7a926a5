"""What chooses hyperparameters and shows what was found."""
