"""A study that machines share: trials and leases in PostgreSQL, checkpoints and artifacts in an object store."""
