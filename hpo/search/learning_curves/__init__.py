"""Choice of the scores from which learning curves are predicted."""
