"""A tutorial's training loop, for comparison: torchvision, a DataLoader, float32, three `.item()`s a step."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from model.data.torchvision_import import import_datasets

N_WORKERS = 2
CHANNELS = (32, 64, 128, 256)
# What the linear skip and the convolutions beside it are multiplied by, see model/network/linear_skip.py.
SKIP_SHARE = 0.3


class TextbookVAE(nn.Module):
    """The architecture `plain` as a tutorial has it."""

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


class TextbookSkipVAE(nn.Module):
    """The architecture `linear_skip` of PyTorch's own layers; its first weights and its last layer are a tutorial's."""

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        embedded, smaller = 48 * 8 * 8, 96 * 4 * 4
        self.embedding = nn.Conv2d(3, 48, 4, 4, bias=False)
        self.down = nn.Sequential(*_silu(nn.Conv2d, 3, 32), *_silu(nn.Conv2d, 32, 48))
        self.down_above = nn.Sequential(*_silu(nn.Conv2d, 48, 96))
        self.mean, self.log_variance = nn.Linear(embedded + smaller, latent_dim), nn.Linear(smaller, latent_dim)
        self.project = nn.Linear(latent_dim, embedded + smaller)
        self.up_above = nn.Sequential(nn.Unflatten(1, (96, 4, 4)), *_silu(nn.ConvTranspose2d, 96, 48))
        last = nn.ConvTranspose2d(32, 3, kernel_size=4, stride=2, padding=1)
        self.up = nn.Sequential(*_silu(nn.ConvTranspose2d, 48, 32), last)
        self.projection = nn.ConvTranspose2d(48, 3, 4, 4, bias=False)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reconstructions (B, 3, 32, 32), mean and log-variance (B, Z)."""
        h = self.embedding(x) + SKIP_SHARE * self.down(x)
        above = self.down_above(h).flatten(1)
        mean, log_variance = self.mean(torch.cat([h.flatten(1), above], dim=1)), self.log_variance(above)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        embedded, smaller = self.project(z).split([h[0].numel(), above.shape[1]], dim=1)
        h = embedded.unflatten(1, h.shape[1:]) + SKIP_SHARE * self.up_above(smaller)
        return torch.sigmoid(self.projection(h) + SKIP_SHARE * self.up(h)), mean, log_variance


def _silu(kind: type[nn.Conv2d] | type[nn.ConvTranspose2d], n_in: int, n_out: int) -> tuple[nn.Module, ...]:
    return kind(n_in, n_out, kernel_size=4, stride=2, padding=1), nn.SiLU()


def _block(kind: type[nn.Conv2d] | type[nn.ConvTranspose2d], n_in: int, n_out: int) -> tuple[nn.Module, ...]:
    return kind(n_in, n_out, kernel_size=4, stride=2, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()


def textbook_images(root: Path) -> Dataset[tuple[Tensor, int]]:
    """CIFAR-10's training images in `root`, as a tutorial reads them."""
    datasets = import_datasets()
    from torchvision.transforms import ToTensor

    return datasets.CIFAR10(root, train=True, transform=ToTensor())  # type: ignore[no-any-return]


def train_textbook(model: nn.Module, dataset: Dataset[tuple[Tensor, int]], batch_size: int) -> Iterator[int]:
    """Train epoch after epoch, on the device of the model; yield the number of images after each step."""
    loader = DataLoader(dataset, batch_size=batch_size, shuffle=True, num_workers=N_WORKERS, drop_last=True)
    device = next(model.parameters()).device
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
