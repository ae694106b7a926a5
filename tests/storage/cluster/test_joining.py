"""Joining a study that another machine has created."""

from dataclasses import replace

import pytest

from hpo.config.prepared_study import PreparedStudy
from hpo.storage import provenance
from hpo.storage.cluster.images import fetch_images, share_images
from hpo.storage.cluster.joining import DEVICE_KIND, PROGRAM_VERSION, check_same_kind
from hpo.storage.database import StudyError
from hpo.workers.trial_context import TrialContext
from model.data.splits import assemble
from model.errors import DataError


def test_a_machine_of_another_kind_is_refused_with_every_difference(
    shared: TrialContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = PreparedStudy(shared.config, shared.runtime, shared.data, (), shared.paths.location)
    check_same_kind(shared.study, prepared, shared.paths)
    for name, value in ((DEVICE_KIND, "cpu"), ("precision", "float32"), (PROGRAM_VERSION, "abc")):
        shared.study.set_user_attr(name, value)
    monkeypatch.setattr(provenance, "program_version", lambda: "abc")
    check_same_kind(shared.study, prepared, shared.paths)
    monkeypatch.setattr(provenance, "program_version", lambda: "def")
    other = replace(prepared, runtime=replace(shared.runtime, precision="bfloat16"))
    with pytest.raises(
        StudyError, match=r"precision is float32, here it is bfloat16; .* is abc, here it is def"
    ) as error:
        check_same_kind(shared.study, other, shared.paths)
    assert "password" not in str(error.value) and "study small in postgresql://hpo:***@" in str(error.value)


def test_images_are_fetched_by_their_digest_and_damaged_ones_again(
    shared: TrialContext, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    data, paths = shared.data, shared.paths
    monkeypatch.setattr("tempfile.gettempdir", lambda: f"{tmp_path}/first")
    images = assemble(data.source, data.class_names, data.train, data.validation, data.test)
    with pytest.raises(DataError, match="its images are missing"):
        fetch_images(paths, images.digest)
    share_images(paths, images)
    monkeypatch.setattr("tempfile.gettempdir", lambda: f"{tmp_path}/second")
    fetched = fetch_images(paths, images.digest[:16])
    assert fetched.digest == images.digest and fetched.class_names == images.class_names
    assert fetched.train.labels.equal(images.train.labels) and fetched.test.images.equal(images.test.images)
    (kept,) = (paths.all_scratch / "images").iterdir()
    kept.write_bytes(b"torn")
    assert fetch_images(paths, images.digest).digest == images.digest
