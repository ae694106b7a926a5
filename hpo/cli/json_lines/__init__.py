"""Output for scripts: with `--json`, a command prints JSON objects, one a line."""
