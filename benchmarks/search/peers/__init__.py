"""Searches of other packages, which `requirements-peers.txt` installs; each decides by that package's own code."""
