"""Packages for OptunaHub, laid out as its registry asks: they import nothing of this project."""
