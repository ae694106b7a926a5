"""The ablation's rows do what their names say, and what was measured is told as it was."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks.ablation import page, results, variants
from benchmarks.ablation.rows import BASE, NETWORKS, ROWS, WAY, Row
from benchmarks.ablation.train_row import begin, mixture_gap
from benchmarks.jsonl import append, read
from benchmarks.tables import FOLDER
from model.data.images import ImageData
from model.device import Runtime
from model.network.convolution_stack import ConvolutionStack
from model.network.vae import ConvVAE
from model.training.train_state import TrainState
from model.training.training_loop import train

SMALL: dict[str, Any] = {"channels": (4, 4, 8, 8), "latent_dim": 4, "batch_size": 8, "epochs": 2}


def layers_of(model: ConvVAE) -> list[type[nn.Module]]:
    return [type(layer) for layer in model.modules()]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_trains(row: Row, data: ImageData, runtime: Runtime) -> None:
    # As many channels as groups need; the rest as the row has it.
    small = replace(row, settings={**row.settings, "channels": (8, 8, 16, 16), "latent_dim": 4, "epochs": 1})
    metrics = next(train(begin(small, 0, data, runtime), data))
    assert metrics.skipped_updates == 0


def test_names_are_unique_and_none_is_part_of_a_pair_that_trains_alike() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
    # Rows of different parts are measured differently.
    told = [(row.part, row.config, row.changes) for row in ROWS]
    assert all(told.index(settings) == index for index, settings in enumerate(told)), "two rows train the same"


def test_the_way_leads_to_the_network_that_the_shipped_one_is_compared_with() -> None:
    networks = [row for row in NETWORKS if row.config.latent_dim == BASE.latent_dim]
    assert WAY[-1].config == networks[0].config and not WAY[-1].changes
    assert BASE in [row.config for row in networks if not row.changes]


def test_a_norm_stands_behind_every_convolution_but_the_last_of_each_trunk() -> None:
    model = ConvVAE(4, (8, 8, 16, 16), "norm_free")
    variants.normalised(variants.group_norm)(model)
    for trunk, n_norms in ((model.encoder.trunk, 4), (model.decoder.trunk, 3)):
        assert isinstance(trunk, ConvolutionStack)
        kinds = [type(layer) for layer in trunk]
        assert kinds.count(nn.GroupNorm) == n_norms
        assert all(
            isinstance(before, nn.Conv2d | nn.ConvTranspose2d)
            for before, layer in pairwise(trunk)
            if isinstance(layer, nn.GroupNorm)
        )


def test_a_mixture_saves_nothing_on_codes_that_follow_the_prior(data: ImageData, runtime: Runtime) -> None:
    state = TrainState(replace(BASE, **SMALL), runtime)
    with torch.no_grad():
        for head in (state.model.encoder.mean, state.model.encoder.log_variance):
            head.weight.zero_()
            head.bias.zero_()
        assert abs(mixture_gap(state, data)) < 1.0
        state.model.encoder.mean.bias.fill_(3.0)
        # A Gaussian at 3 instead of 0 in each of 4 dimensions.
        assert mixture_gap(state, data) == pytest.approx(4 * 3**2 / 2, abs=2.0)


def test_a_torn_last_line_is_given_up_and_the_rest_kept(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    append(path, {"row": "a"})
    with path.open("a") as file:
        file.write('{"row": "b')
    assert read(path) == [{"row": "a"}]
    append(path, {"row": "c"})
    assert read(path) == [{"row": "a"}, {"row": "c"}]


def test_a_rows_line_has_the_means_of_its_seeds_and_seconds_from_the_median_speed(tmp_path: Path) -> None:
    row, (runs, speeds) = WAY[-1], (tmp_path / "runs", tmp_path / "speeds")
    for seed, score in ((0, 6.5), (1, 6.3)):
        report = {"images_seen": 9000, "val_bpd": score, "val_rate_nats": 200.0, "val_mse": 0.006}
        append(runs, {"row": row.name, "seed": seed, "n_weights": 10, "reports": [report], "mixture_gap_nats": 7.0})
    for rate in (900.0, 3000.0, 4000.0):
        append(speeds, {"row": row.timed_as, "images_per_second": rate})
    (measured,) = page.measured(runs, speeds)
    assert (measured.seconds, measured.images_per_second) == (3.0, 3000.0)
    assert measured.curve == ((9000, 6.4),)
    assert "| 6.4000 | 6.5000 6.3000 | 7.0 |" in page.table([measured])


def test_the_page_is_what_its_results_make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(page, "FIGURE", tmp_path / "figure.png")
    page.write_page()
    assert (tmp_path / "page.md").read_text() == (FOLDER / "ABLATION.md").read_text()
    assert results.RUNS.exists() and (tmp_path / "figure.png").stat().st_size > 10_000
