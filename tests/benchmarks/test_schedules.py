"""The page of the comparison of learning-rate schedules."""

from benchmarks.jsonl import read
from benchmarks.search.schedules import CURVES, KINDS
from benchmarks.search.schedules_page import PAGE, page


def line(index: int, schedule: str, *scores: float) -> dict[str, object]:
    epochs = [1, 2, 20] if len(scores) == 3 else [3]
    machine = {"device": "a CPU", "kind": "avx2", "precision": "float32"}
    return {"index": index, "schedule": schedule, "epochs": epochs, "val_bpd": {schedule: list(scores)}, **machine}


def test_the_page_is_that_of_the_results() -> None:
    lines = read(CURVES)
    assert {(entry["index"], entry["schedule"]) for entry in lines} == {(n, kind) for n in range(8) for kind in KINDS}
    assert PAGE.read_text() == page(lines)


def test_schedules_are_compared_on_the_configurations_that_all_have_at_their_ends() -> None:
    cosine = [line(n, "cosine", 7 - n, 6.0 + n, end) for n, end in enumerate((5.5, 5.6, 5.7))]
    other = [line(n, "free", 7, 6.0 + n, end) for n, end in enumerate((5.4, 5.9))]
    text = page([*cosine, *other])
    assert "2 configurations" in text and "after epochs 1, 2" in text
    assert "| cosine | 5.5500 | +0.0000 | +0.0000 | -1.00, 1.00 |" in text
    assert "| free | 5.6500 | +0.1000 | +0.3000 |" in text
