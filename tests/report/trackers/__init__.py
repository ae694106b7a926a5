"""A study as trackers read it back."""
