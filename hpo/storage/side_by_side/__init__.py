"""Many studies, each in a database of its own, as one storage of Optuna."""
