"""Benchmark of the search: a table of real learning curves, and searches replayed on it."""
