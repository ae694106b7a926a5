"""Images as uint8 tensors: CIFAR-10, the bundled sample and image folders."""
