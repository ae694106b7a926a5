"""Epochs at which a run saves a frame of its animations."""

from pathlib import Path

from hpo.runs.animation_frames import frame_epochs, saved_frames
from hpo.storage.paths import RunPaths


def test_frames_are_saved_at_the_interval_and_always_first_and_last() -> None:
    assert frame_epochs(10, 1) == frozenset(range(11))
    assert frame_epochs(10, 4) == {0, 4, 8, 10}
    assert frame_epochs(1, 5) == {0, 1}


def test_logarithmically_spaced_frames_are_dense_at_first_and_sparse_at_last() -> None:
    epochs = sorted(frame_epochs(1000, "log"))
    assert epochs[:5] == [0, 1, 2, 3, 4]
    assert epochs[-1] == 1000
    assert len(epochs) < 45
    assert epochs[-1] - epochs[-2] > 100


def test_saved_frames_come_in_the_order_of_their_epochs(tmp_path: Path) -> None:
    paths = RunPaths(tmp_path)
    paths.frames.mkdir()
    for epoch in (2, 1000, 999, 10, 0):
        paths.frame(epoch).touch()
    of_pca = paths.frame(0, is_pca=True)
    of_pca.touch()
    by_epoch = [paths.frame(epoch) for epoch in (0, 2, 10, 999, 1000)]
    assert saved_frames(paths.frames) == [by_epoch[0], of_pca, *by_epoch[1:]]
