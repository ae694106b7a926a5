"""Interactive plotly figures of a study for optuna-dashboard: the data of a figure, then its drawing."""
