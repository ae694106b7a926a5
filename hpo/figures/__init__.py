"""Pictures from arrays and data frames: nothing here trains, opens a study or knows torch."""
