"""Epochs at which a run saves a frame of its animations."""

from hpo.runs.animation_frames import frame_epochs


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
