"""What is trained: the convolutional VAE, its data, its objective and its training loop."""
