"""Gains that are expected of further search and of wider ranges."""
