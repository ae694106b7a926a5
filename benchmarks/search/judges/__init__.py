"""Models of a table's learning curves, each of another kind."""
