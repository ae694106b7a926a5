"""Measurements: what is compared is measured in turns within one run."""
