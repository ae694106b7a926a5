"""Few images: what keeps a model from overfitting, and the default study beside probabilistic PCA."""
