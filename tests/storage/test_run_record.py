"""Record of a run."""

from dataclasses import asdict

from hpo.storage.run_record import RunRecord
from model.config import TrainConfig


def test_a_record_of_an_earlier_version_is_read_plain_and_with_its_frame_rate() -> None:
    training = asdict(TrainConfig())
    del training["architecture"], training["linear_path"], training["adam_beta2"]
    record = RunRecord.model_validate(
        {
            "study": None,
            "trial": None,
            "data": {"source": "sample", "root": None, "digest": "0"},
            "precision": "float32",
            "compiled": False,
            "reconstruction_interval": 1,
            # Below the lower limit of today.
            "fps": 0.01,
            "training": training,
        }
    )
    assert (record.training.architecture, record.fps) == ("plain", 0.01)
