"""Running trials: objective, worker, worker pool, budget estimate and signals."""
