"""Pictures of trials: frames that are recorded while a trial trains, and what is drawn from them."""
