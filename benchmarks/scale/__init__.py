"""Cost of a study that many workers share: simulated workers on a real PostgreSQL server."""
