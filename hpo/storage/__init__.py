"""What persists: paths, database, claims, checkpoints, artifacts, fingerprint and run record."""
