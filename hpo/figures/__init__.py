"""Pictures from arrays and data frames. Nothing here trains a model or opens a study."""
