"""ELBO, validation and test scores, and probabilistic PCA."""
