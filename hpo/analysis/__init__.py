"""Results of a study or a run: trial table, data frames, results, cost, importances, pPCA baseline and status."""
