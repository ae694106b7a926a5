"""Figure of the best scores so far of several studies: its lines, its unit of time, its colours."""

import numpy as np
from matplotlib.axes import Axes

from hpo.figures.study.best_so_far import StudyCurve, draw_best_so_far


def lines(axes: Axes) -> dict[str, list[tuple[float, float]]]:
    """Return the points of each study's line, by its name in the legend."""
    return {
        str(line.get_label()): [(x, y) for x, y in np.asarray(line.get_xydata()).tolist()]
        for line in axes.lines
        if not str(line.get_label()).startswith("_")
    }


def test_each_study_has_a_line_against_time_and_one_against_epochs() -> None:
    curves = [
        StudyCurve("a", ((0.5, 6.0), (1.0, 6.0)), ((2.0, 6.0), (9.0, 6.0))),
        StudyCurve("b", ((0.1, 6.2), (0.3, 5.9)), ((3.0, 6.2), (5.0, 5.9))),
    ]
    figure = draw_best_so_far(curves)
    by_time, by_epochs = figure.axes
    assert lines(by_time) == {"a": [(30.0, 6.0), (60.0, 6.0)], "b": [(6.0, 6.2), (18.0, 5.9)]}
    assert lines(by_epochs) == {"a": [(2.0, 6.0), (9.0, 6.0)], "b": [(3.0, 6.2), (5.0, 5.9)]}
    assert by_time.get_xlabel().startswith("minutes")
    assert figure.get_suptitle() == "b has the lowest score of a single trial: 5.900"


def test_from_two_hours_on_time_is_in_hours() -> None:
    by_time = draw_best_so_far([StudyCurve("a", ((0.5, 6.0), (2.5, 6.0)), ((1.0, 6.0),))]).axes[0]
    assert lines(by_time) == {"a": [(0.5, 6.0), (2.5, 6.0)]} and by_time.get_xlabel().startswith("hours")


def test_twelve_studies_can_be_told_apart() -> None:
    curves = [StudyCurve(f"s{n}", ((1.0, 6.0 + n / 10),), ((1.0, 6.0 + n / 10),)) for n in range(12)]
    steps = [line for line in draw_best_so_far(curves).axes[0].lines if not str(line.get_label()).startswith("_")]
    assert len({(line.get_color(), line.get_linestyle()) for line in steps}) == 12
