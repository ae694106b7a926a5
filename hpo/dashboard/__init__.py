"""Everything that optuna-dashboard shows of a study: server, notes and plotly figures."""
