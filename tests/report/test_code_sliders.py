"""Sliders of a run's page: the page's own script decodes codes as PyTorch does."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from playwright.sync_api import Browser

from hpo.report import template_filters
from hpo.report.run_page import write_page
from hpo.runs.code_sliders import sliders
from hpo.storage.paths import RunPaths
from model.network.vae import ConvVAE
from tests.report.test_pages_in_browser import SHOWCASE

SCRIPT = Path(template_filters.__file__).parent / "templates" / "run_page_sliders.js"
DIMENSIONS = [5, 0, 3]
PIXELS = "[...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
NETWORKS: dict[str, dict[str, Any]] = {
    "linear_skip": {},
    "linear_skip_with_two_convolutions": {"channels": (16, 48)},
    "norm_free": {"architecture": "norm_free", "channels": (8, 16, 16)},
    "plain": {"architecture": "plain", "channels": (8, 16, 16)},
    "cross_entropy": {"reconstruction": "bce"},
    "linear_path": {"linear_path": True},
    "grey_28_pixels": {"image_shape": (1, 28, 28)},
}


def network_of(name: str) -> ConvVAE:
    """Return a network with random weights, normalisation statistics and linear path."""
    torch.manual_seed(0)
    network = ConvVAE(6, **NETWORKS[name]).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean = torch.randn(module.num_features) / 2
            module.running_var = torch.rand(module.num_features) + 0.5
            torch.nn.init.normal_(module.weight, 1.0)
            torch.nn.init.normal_(module.bias)
    if network.linear is not None:
        n_dims = network.linear.pixel_mean.numel()
        directions = torch.linalg.qr(torch.randn(n_dims, 6)).Q
        network.linear.set_to(torch.rand(n_dims), directions, torch.linspace(2.0, 1.0, 6), 0.01)
    return network


def page_of(content: dict[str, Any]) -> str:
    options = "".join(f"<option value={index}></option>" for index in range(len(content["starts"])))
    inputs = '<input type="range" min="-4" max="4" step="any"><output></output>' * len(content["dimensions"])
    return (
        f'<canvas id="decoded"></canvas><select id="start">{options}</select><button id="reset"></button>'
        f'<p id="without-script"></p><div id="explorer" hidden><div id="sliders">{inputs}</div></div>'
        f'<script type="application/json" id="decoder">{json.dumps(content)}</script>'
        f"<script>{SCRIPT.read_text()}</script>"
    )


@torch.no_grad()
def decoded(network: ConvVAE, code: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return what PyTorch decodes, (H, W, 3) from 0 to 255."""
    image_CHW = network.decoder(torch.from_numpy(code[None]).float())[0]
    pixels: NDArray[np.int64] = np.round(255 * image_CHW.permute(1, 2, 0).expand(-1, -1, 3).numpy()).astype(np.int64)
    return pixels


@pytest.mark.browser
@pytest.mark.parametrize("name", NETWORKS)
def test_the_page_decodes_as_pytorch_does(name: str, chromium: Browser) -> None:
    network = network_of(name)
    codes = np.random.default_rng(0).normal(size=(2, 6))
    page = chromium.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_content(page_of(sliders(network, codes, ["a", "b"], DIMENSIONS, np.ones(6))))

    def shown() -> NDArray[np.int64]:
        pixels = np.array(page.evaluate(PIXELS))
        side = int(np.sqrt(len(pixels) / 4))
        return pixels.reshape(side, side, 4)[..., :3]

    for index, code in enumerate((*codes, np.zeros(6))):
        page.select_option("#start", str(index))
        assert np.abs(shown() - decoded(network, code)).max() <= 2, "as it was"
        moved = code.copy()
        for position, value in ((0, 2.5), (2, -1.5)):
            page.evaluate(f"inputs[{position}].value = {value}; inputs[{position}].dispatchEvent(new Event('input'))")
            moved[DIMENSIONS[position]] = value
        assert np.abs(shown() - decoded(network, moved)).max() <= 2
        assert np.abs(shown() - decoded(network, code)).max() > 2, "sliders have an effect"
    page.click("#reset", force=True)
    assert np.abs(shown() - decoded(network, np.zeros(6))).max() <= 2
    assert errors == []
    page.close()


def with_sliders(folder: Path) -> RunPaths:
    """Return the showcase's run with sliders of another network."""
    paths = RunPaths(folder / "best")
    paths.folder.mkdir()
    for file in SHOWCASE.iterdir():
        (paths.folder / file.name).write_bytes(file.read_bytes())
    network, codes = network_of("linear_skip"), np.zeros((1, 6))
    content = sliders(network, codes, ["</script><b>cat"], DIMENSIONS, np.ones(6))
    paths.code_sliders.write_text(json.dumps(content))
    return paths


def test_a_page_without_sliders_runs_no_script_and_has_no_empty_section(tmp_path: Path) -> None:
    paths = with_sliders(tmp_path)
    write_page(paths)
    with_them = paths.page.read_text()
    assert "Change a code yourself" in with_them and "</script><b>cat" not in with_them
    paths.code_sliders.unlink()
    write_page(paths)
    assert "Change a code" not in paths.page.read_text() and "script-src 'none'" in paths.page.read_text()


@pytest.mark.browser
def test_the_sliders_of_a_page_from_disk_load_nothing_and_say_so_without_javascript(
    tmp_path: Path, chromium: Browser
) -> None:
    paths = with_sliders(tmp_path)
    write_page(paths)
    page = chromium.new_page()
    requests, messages = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: messages.append(message.text))
    page.goto(paths.page.as_uri())
    slider = page.locator("#sliders input").first
    before = page.evaluate("canvas.toDataURL()")
    slider.focus()
    page.keyboard.press("End")
    assert page.evaluate("canvas.toDataURL()") != before
    assert page.locator("#sliders output").first.inner_text() == "4.0"
    assert {url for url in requests if not url.startswith("data:")} == {paths.page.as_uri()}
    assert messages == [] and not page.get_by_text("This needs JavaScript").is_visible()
    page.close()
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(paths.page.as_uri())
    assert page.get_by_text("This needs JavaScript").is_visible()
    assert not page.locator("#explorer").is_visible()
    context.close()
