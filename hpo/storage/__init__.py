"""Persistence: paths, database, claims, checkpoints, artifacts, fingerprint and run record."""
