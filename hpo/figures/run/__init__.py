"""Figures of one trained model."""
