"""What a study or a run found: trial table, data frames, results, cost, importances, pPCA baseline and status."""
