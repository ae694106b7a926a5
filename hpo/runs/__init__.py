"""One full-length training into a folder of results: train, retrain, redraw, metrics."""
