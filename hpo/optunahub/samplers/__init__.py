"""Samplers for OptunaHub."""
