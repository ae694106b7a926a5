"""The convolutional VAE and its layers."""
