"""What a further search and wider ranges are expected to bring."""
