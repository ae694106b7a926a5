"""Command line: commands, live table, log lines and exit codes. The only package that prints or exits."""
