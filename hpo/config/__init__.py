"""The study file: schema, hyperparameters, YAML, search space and the images that it names."""
