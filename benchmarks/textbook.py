"""A tutorial's training loop, for comparison: torchvision, a DataLoader, float32, three `.item()`s a step."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from model.data.torchvision_import import import_datasets

N_WORKERS = 2
CHANNELS = (32, 64, 128, 256)


class TextbookVAE(nn.Module):
    """The architecture of `model.vae.ConvVAE` as a tutorial has it."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        down = [layer for sizes in itertools.pairwise((3, *CHANNELS)) for layer in _block(nn.Conv2d, *sizes)]
        up = [layer for sizes in itertools.pairwise(CHANNELS[::-1]) for layer in _block(nn.ConvTranspose2d, *sizes)]
        n_features = CHANNELS[-1] * 2 * 2
        self.encoder = nn.Sequential(*down, nn.Flatten())
        self.mean, self.log_variance = nn.Linear(n_features, latent_dim), nn.Linear(n_features, latent_dim)
        self.project = nn.Linear(latent_dim, n_features)
        last = nn.ConvTranspose2d(CHANNELS[0], 3, kernel_size=4, stride=2, padding=1)
        self.decoder = nn.Sequential(nn.Unflatten(1, (CHANNELS[-1], 2, 2)), *up, last, nn.Sigmoid())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstructions (B, 3, 32, 32), mean and log-variance (B, Z)."""
        features = self.encoder(x)
        mean, log_variance = self.mean(features), self.log_variance(features)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        return self.decoder(self.project(z)), mean, log_variance


def _block(kind: type[nn.Conv2d] | type[nn.ConvTranspose2d], n_in: int, n_out: int) -> tuple[nn.Module, ...]:
    return kind(n_in, n_out, kernel_size=4, stride=2, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()


def train_textbook(root: Path, batch_size: int, latent_dim: int, device: torch.device) -> Iterator[int]:
    """Train on CIFAR-10 in `root`, epoch after epoch; yield the number of images after each step."""
    datasets = import_datasets()
    from torchvision.transforms import ToTensor

    dataset = datasets.CIFAR10(root, train=True, transform=ToTensor())
    loader = DataLoader(dataset, batch_size=batch_size, shuffle=True, num_workers=N_WORKERS, drop_last=True)
    model = TextbookVAE(latent_dim).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for epoch in itertools.count():
        for n_steps, (images, _) in enumerate(loader, start=1):
            x = images.to(device)
            reconstruction, mean, log_variance = model(x)
            distortion = functional.binary_cross_entropy(reconstruction, x, reduction="sum") / len(x)
            rate = -0.5 * (1 + log_variance - mean.pow(2) - log_variance.exp()).sum(1).mean()
            loss = distortion + rate
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append((loss.item(), distortion.item(), rate.item()))
            yield (epoch * len(loader) + n_steps) * batch_size
