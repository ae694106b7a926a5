"""Files of a study as objects of an object store."""
