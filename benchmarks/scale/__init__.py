"""Many simulated workers on one PostgreSQL server."""
