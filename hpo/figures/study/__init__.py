"""Figures of a study's trials."""
