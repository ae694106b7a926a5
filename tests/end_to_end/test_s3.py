"""A study whose files are in a real S3 server, which fails from time to time."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from hpo.config.call_arguments import Location
from hpo.storage.cluster.objects.object_store import FilesError, Objects
from tests.tools import s3_server
from tests.tools.fault_injection import make_images
from tests.tools.s3_server import CREDENTIALS, failing_proxy, running_s3
from tests.tools.shared_machines import Machines, output_of, stop_all
from tests.tools.warm_process import WarmProcess

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(s3_server.program() is None, reason="no S3 server was found (make .s3-server)"),
]


@pytest.fixture(scope="module")
def s3() -> Iterator[int]:
    with running_s3("bucket") as port:
        yield port


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in (*CREDENTIALS.items(), ("AWS_ALLOW_HTTP", "true")):
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def objects(s3: int, environment: pytest.MonkeyPatch) -> Objects:
    environment.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{s3}")
    return Objects("s3://bucket/folder")


def test_objects_are_written_listed_read_replaced_and_deleted(objects: Objects) -> None:
    assert objects.get("a/1") is None and objects.files("a") == []
    objects.put("a/1", b"first")
    objects.put("a/1", b"second")
    objects.put("ab/1", b"other folder")
    (file,) = objects.files("a")
    assert (file.name, file.n_bytes) == ("1", 6) and -5 < file.age_s < 60
    assert objects.get("a/1") == b"second"
    objects.delete(["a/1", "a/none"])
    assert objects.get("a/1") is None


def test_a_bucket_that_is_not_there_is_one_line_without_its_secrets(
    objects: Objects, environment: pytest.MonkeyPatch
) -> None:
    missing = Objects("s3://nobody:secret@nowhere/folder")
    with pytest.raises(FilesError, match=r"^--files s3://nobody:\*\*\*@nowhere/folder: cannot be listed \(") as error:
        missing.check()
    assert "secret" not in str(error.value) and "\n" not in str(error.value)


def test_machines_share_a_study_over_a_server_that_fails_at_every_third_request(
    s3: int,
    environment: pytest.MonkeyPatch,
    location: Location,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    images = make_images(tmp_path_factory.mktemp("images"))
    shared = replace(location, files="s3://bucket/studies")
    with failing_proxy(s3, 3) as port:
        environment.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        machines = Machines(tmp_path / "machines", images, shared, 6)
        try:
            tune = machines.start("tune")
            assert tune.wait(200) == 0, output_of(tune)
            for command in ("work", "retrain", "report", "export", "status"):
                process = machines.start(command)
                assert process.wait(200) == 0, output_of(process)
            machines.audit()
            folder = output_folder(machines.processes[-4])
            metrics = json.loads((folder / "results" / "small" / "best" / "metrics.json").read_text())
            assert metrics["data"]["n_train"] == 80
            assert (output_folder(machines.processes[-3]) / "results" / "small" / "report" / "index.html").exists()
        finally:
            stop_all(machines)


def output_folder(process: WarmProcess) -> Path:
    path: Path = process.output  # type: ignore[attr-defined]
    return path.parent
