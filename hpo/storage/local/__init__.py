"""A study on one machine: kernel locks on files."""
