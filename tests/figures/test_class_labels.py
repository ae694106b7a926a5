"""Names of classes in pictures: drawn character by character, or replaced by a number where no font has them."""

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hpo.figures import class_labels
from hpo.figures.class_labels import class_labels as labels_of
from hpo.figures.class_labels import label_entries, label_pieces

FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
# DejaVu Sans lacks it, STIX has it.
SCRIPT_G = "\u210a"


@pytest.fixture(autouse=True)
def fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system whose only fonts are STIX, and one of last resort, which has a box for everything."""
    files = (FONTS / "LastResortHE-Regular.ttf", FONTS / "STIXGeneral.ttf")
    monkeypatch.setattr("matplotlib.font_manager.findSystemFonts", lambda: [str(file) for file in files])
    class_labels._system_fonts.cache_clear()
    class_labels.font_files.cache_clear()


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("$10_$20", "$10_$20"),
        ("_hidden", "_hidden"),
        ("\\alpha", "\\alpha"),
        ("<script>", "<script>"),
        ("K\udce4fer", "K\ufffdfer"),
        ("two\nlines", "two\ufffdlines"),
        ("שלום", "שלום"),
        ("\U0001f600\ufe0f", "\U0001f600"),
        ("\u202eltr", "\ufffdltr"),
        (SCRIPT_G, SCRIPT_G),
        ("猫", "class 1"),
        (" ", "class 1"),
        ("thirteen chrs", "thirteen chrs"),
        ("fourteen chars", "fourteen cha…"),
    ],
)
def test_a_class_is_labelled_by_its_name_if_it_can_be_drawn(name: str, label: str) -> None:
    assert labels_of(["first", name]) == ("first", label)


def drawn_entries(labels: list[str]) -> NDArray[np.uint8]:
    """Draw a legend with these labels; return its pixels."""
    figure = Figure(figsize=(4, 1))
    axes = figure.add_axes((0, 0, 1, 1))
    legend = axes.legend([axes.scatter([0], [0]) for _ in labels], ["class"] * len(labels))
    label_entries(legend, labels)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.array(canvas.buffer_rgba())  # type: ignore[no-untyped-call]


def test_dollars_and_backslashes_are_drawn_in_a_legend_and_not_parsed() -> None:
    for name, parsed in (("$10_$20", "1020"), ("$x$", "x"), ("\\$", "$")):
        assert not np.array_equal(drawn_entries([name]), drawn_entries([parsed]))


def test_a_label_that_starts_with_an_underscore_keeps_its_entry() -> None:
    assert not np.array_equal(drawn_entries(["_", "_hidden"]), drawn_entries(["_", ""]))


@pytest.mark.filterwarnings("error")
def test_a_legend_draws_a_character_that_dejavu_lacks_by_a_font_of_the_system() -> None:
    assert not np.array_equal(drawn_entries([SCRIPT_G]), drawn_entries([" "]))


def test_a_label_is_split_by_font_and_direction() -> None:
    dejavu, stix = FONTS / "DejaVuSans.ttf", FONTS / "STIXGeneral.ttf"
    assert label_pieces(f"a{SCRIPT_G} → b") == [("a", dejavu), (SCRIPT_G, stix), (" → b", dejavu)]
    pieces = label_pieces("שלום עולם → כלב")
    assert [sorted(text) for text, _ in pieces if text] == [sorted("שלום עולם"), sorted(" → "), sorted("כלב")]
