"""Convolutional VAE and its layers."""
