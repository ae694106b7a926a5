"""A study for other programs that show trainings: TensorBoard, MLflow, Weights & Biases."""
