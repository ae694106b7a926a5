"""Reading and writing Optuna's tables directly, where Optuna's own calls take longer with every trial."""
