"""Record of a run."""

from dataclasses import asdict

from hpo.storage.run_record import RunRecord
from model.config import TrainConfig


def test_a_record_from_before_there_were_architectures_is_of_the_plain_one() -> None:
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
            "fps": 2.0,
            "training": training,
        }
    )
    assert record.training.architecture == "plain"
