"""Commands that show what a study has done, one module each."""
