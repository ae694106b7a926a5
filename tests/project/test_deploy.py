"""The files of deploy/: the program has each command line in them, and something reads each variable."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml
from obstore.exceptions import BaseError, UnknownConfigurationKeyError
from obstore.store import S3Store
from psycopg import pq

from hpo.config.call_arguments import FILES_VARIABLE, STORAGE_VARIABLE
from tests.project.test_documents_commands import parse
from tests.project.test_requirements import requirements
from tests.tools.markdown_pages import ROOT, doc

DEPLOY = ROOT / "deploy"
FILES = sorted(path.name for path in DEPLOY.iterdir())
DOCUMENTS = {path.name: list(yaml.safe_load_all(path.read_text())) for path in sorted(DEPLOY.glob("*.yaml"))}
DOCKERFILE, SBATCH = (DEPLOY / "Dockerfile").read_text(), (DEPLOY / "slurm.sbatch").read_text()
IMAGE = "convvae-hpo"
# Those of the study's place, and of what is reached there.
SHARED = {STORAGE_VARIABLE, FILES_VARIABLE, "PGPASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
# Of each file, the commands in it, each as often as it is there.
COMMANDS = {
    "Dockerfile": ["tune"],
    "Dockerfile.dockerignore": [],
    "compose.yaml": ["status", "tune", "work"],
    "k8s-job.yaml": ["status", "tune", "work"],
    "kuberay.yaml": ["tune"],
    "slurm.sbatch": ["tune", "work"],
}


def mappings(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping in a YAML document, itself and those in lists included."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from mappings(child)


def containers(name: str) -> list[dict[str, Any]]:
    """Return what runs our image in a YAML file: services of Compose, containers of Kubernetes."""
    found = [each for document in DOCUMENTS[name] for each in mappings(document) if IMAGE in str(each.get("image"))]
    # Compose merges the first one into the others.
    return [each for each in found if name != "compose.yaml" or "command" in each]


def command_lines(name: str) -> list[list[str]]:
    """Return the arguments of each call of our program in a file, in comments too."""
    text = (DEPLOY / name).read_text().replace("\\\n", " ").replace("\n#    ", " ")
    if name == "kuberay.yaml":
        text += "\n" + DOCUMENTS[name][0]["spec"]["entrypoint"]
        # Once: as YAML folds it.
        text = re.sub(r"^  entrypoint: >-\n(    .*\n)+", "", text, flags=re.MULTILINE)
    lines = re.findall(r"-m hpo ([^;\n]+)|docker run .*?convvae-hpo (.+)|docker compose .* run --rm tune (.+)", text)
    found = [shlex.split("".join(groups)) for groups in lines]
    for container in containers(name) if name in DOCUMENTS else ():
        # The image's entrypoint goes before them, unless there is another command.
        arguments = container.get("args") or (container.get("command") if name == "compose.yaml" else None)
        found += [arguments] if arguments else []
    return found


LINES = [(name, line) for name in FILES for line in command_lines(name)]


def variables(name: str) -> set[str]:
    """Return the environment variables that a file gives our program."""
    if name == "slurm.sbatch":
        return {variable for line in re.findall(r"export (.+)", SBATCH) for variable in re.findall(r"(\w+)=", line)}
    found = {variable for each in containers(name) for variable in each.get("environment", {})}
    found |= {entry["name"] for each in containers(name) for entry in each.get("env", [])}
    settings = [each for each in DOCUMENTS[name] if each.get("kind") == "ConfigMap"]
    # Lines that a user may take in.
    commented = re.findall(r"^ +# (?:- \{name: )?([A-Z_]+)(?:: |, value)", (DEPLOY / name).read_text(), re.MULTILINE)
    return found.union(commented, *(each["data"] for each in settings))


def is_read(variable: str) -> bool:
    """Return True if our program, or a library of it, reads an environment variable."""
    if variable.startswith("AWS_"):
        return is_of_the_object_store(variable)
    torch = find_spec("torch")
    assert torch is not None and torch.origin is not None
    openmp = [path for path in Path(torch.origin).parent.glob("lib/lib*omp*") if path.stat().st_size < 10**7]
    of_threads = any(variable.encode() in path.read_bytes() for path in openmp)
    of_postgres = variable.encode() in {option.envvar for option in pq.Conninfo.get_defaults()}
    return variable in (STORAGE_VARIABLE, FILES_VARIABLE) or of_postgres or of_threads


def is_of_the_object_store(variable: str) -> bool:
    config: Any = {"aws_access_key_id": "a", "aws_secret_access_key": "b", variable.lower(): "true"}
    try:
        S3Store("bucket", config=config)
    except UnknownConfigurationKeyError:
        return False
    except BaseError:
        # It knows the name, and not this value.
        return True
    return True


def test_every_file_is_listed_and_explained_at_its_head() -> None:
    assert sorted(COMMANDS) == FILES
    for name in FILES:
        head = [line for line in (DEPLOY / name).read_text().splitlines() if not line.startswith("#!")]
        assert re.match(r"# [A-Z]", head[0]), name
        assert f"](../deploy/{name})" in doc("cluster").text or name.endswith("ignore")


@pytest.mark.parametrize("name", FILES)
def test_every_command_in_a_file_is_found(name: str) -> None:
    assert sorted(line[0] for line in command_lines(name)) == COMMANDS[name]


@pytest.mark.parametrize(("name", "line"), LINES, ids=[f"{name}-{' '.join(line)}" for name, line in LINES])
def test_a_command_in_a_file_is_parsed(name: str, line: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for variable in (STORAGE_VARIABLE, FILES_VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    values = parse(line)
    if name == "kuberay.yaml":
        assert values["ray"] == "auto" and values["workers"] > 1 and values["storage"] and values["files"]


def test_the_image_starts_our_program_and_passes_signals_on() -> None:
    (entrypoint,) = re.findall(r"^ENTRYPOINT (.+)$", DOCKERFILE, re.MULTILINE)
    assert json.loads(entrypoint) == ["tini", "--", "python", "-m", "hpo"]


def test_the_development_container_is_a_stage_of_the_image_with_what_make_and_the_tests_need() -> None:
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    build, folder = container["build"], ROOT / ".devcontainer"
    assert (folder / build["dockerfile"]).resolve() == DEPLOY / "Dockerfile"
    assert (folder / build["context"]).resolve() == ROOT
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    names = [stage.split()[2] for stage in stages]
    # Without a target, the last stage is built.
    assert names[-1] == "program" and build["target"] in names
    stage = stages[names.index(build["target"])]
    assert {"chromium", "make", "postgresql"} <= set(stage.split()) and f"USER {container['remoteUser']}" in stage
    command, target = container["postCreateCommand"].split()
    assert command == "make" and f"\n{target}:" in (ROOT / "Makefile").read_text()


def test_the_image_has_every_requirements_file_that_it_installs() -> None:
    (copied,) = re.findall(r"^COPY (requirements.+) /tmp/$", DOCKERFILE, re.MULTILINE)
    named = set(re.findall(r"-[rc] /tmp/(\S+)", DOCKERFILE))
    assert {"requirements.txt", "requirements-cluster.txt"} <= named
    for name in copied.split():
        named |= set(re.findall(r"^-[rc] (\S+)", (ROOT / name).read_text(), re.MULTILINE))
    assert named == set(copied.split())


def test_the_image_has_every_file_that_git_tracks() -> None:
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    patterns = [(line.startswith("!"), as_expression(line.lstrip("!"))) for line in lines if not line.startswith("#")]

    def matches(file: str) -> bool:
        decisions = [not keeps for keeps, pattern in patterns if pattern.match(file)]
        return bool(decisions) and decisions[-1]

    for file in ("results/cifar10/study.db", ".venv/bin/python", "hpo/cli/__pycache__/app.pyc", "data/cifar10/x"):
        assert matches(file), file
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert len(listed.splitlines()) > 100
    assert [file for file in listed.splitlines() if matches(file)] == []


def as_expression(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a pattern of .dockerignore, for a file and all below it."""
    expression = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
    return re.compile(re.sub(r"\\\[(\w+)\\\]", r"[\1]", expression) + "(/|$)")


@pytest.mark.parametrize("name", ["compose.yaml", "k8s-job.yaml", "kuberay.yaml", "slurm.sbatch"])
def test_every_variable_in_a_file_is_read(name: str) -> None:
    found = variables(name)
    expected = {
        "slurm.sbatch": {STORAGE_VARIABLE, FILES_VARIABLE},
        "kuberay.yaml": SHARED - {"HPO_STORAGE", "HPO_FILES"},
    }
    assert expected.get(name, SHARED) <= found
    assert [variable for variable in found if not is_read(variable)] == []


def test_a_variable_that_nothing_reads_is_noticed() -> None:
    assert [is_read(name) for name in ("AWS_REGIONS", "HPO_STORE", "PGPASS")] == [False] * 3


@pytest.mark.parametrize("name", ["k8s-job.yaml", "kuberay.yaml"])
def test_passwords_come_from_the_secret_that_the_head_creates(name: str) -> None:
    secrets = [entry for each in containers(name) for entry in each.get("env", []) if "valueFrom" in entry]
    assert {entry["name"] for entry in secrets} == SHARED - {STORAGE_VARIABLE, FILES_VARIABLE}
    references = [entry["valueFrom"]["secretKeyRef"] for entry in secrets]
    created = set(re.findall(r"--from-literal=([\w-]+)=", (DEPLOY / "k8s-job.yaml").read_text()))
    assert {(key["name"], key["key"]) for key in references} == {("hpo", key) for key in created}


def test_no_file_holds_a_password() -> None:
    for name in FILES:
        text = (DEPLOY / name).read_text()
        assert re.findall(r"(?:PASSWORD|SECRET\w*)[\"']?[=:] *[\"']?(?!\.\.\.|\$\{)\w", text) == [], name
        assert re.findall(r"://\w+:\w+@", text) == [], name


def test_images_of_other_programs_have_versions() -> None:
    (services,) = [document["services"] for document in DOCUMENTS["compose.yaml"]]
    others = [each["image"] for each in services.values() if IMAGE not in each["image"]]
    assert len(others) == 3
    assert [image for image in others if not re.search(r":v?\d+\.\d", image)] == []


def test_workers_have_time_for_an_epoch_before_they_are_killed() -> None:
    (services,) = [document["services"] for document in DOCUMENTS["compose.yaml"]]
    assert {services[name]["stop_grace_period"] for name in ("tune", "work")} == {"5m"}
    pods = [each for document in DOCUMENTS["k8s-job.yaml"] for each in mappings(document) if "restartPolicy" in each]
    assert [pod["terminationGracePeriodSeconds"] for pod in pods] == [300, 300]


def test_cores_and_threads_agree() -> None:
    (settings,) = [each for each in DOCUMENTS["k8s-job.yaml"] if each["kind"] == "ConfigMap"]
    limits = {each["resources"]["limits"]["cpu"] for each in containers("k8s-job.yaml")}
    assert limits == {settings["data"]["OMP_NUM_THREADS"]}


def test_ray_has_the_version_that_is_installed_and_pods_hold_the_workers() -> None:
    cluster = DOCUMENTS["kuberay.yaml"][0]["spec"]["rayClusterSpec"]
    assert str(requirements("requirements-cluster.txt")["ray"].specifier) == f"=={cluster['rayVersion']}"
    (group,) = cluster["workerGroupSpecs"]
    (line,) = command_lines("kuberay.yaml")
    given = {option: float(value) for option, value in pairwise(line) if option in ("--workers", "--cpus-per-worker")}
    cores = float(group["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"])
    assert given["--workers"] * given["--cpus-per-worker"] == cores * group["maxReplicas"]


def test_the_batch_script_is_shell_and_python_gets_its_signal() -> None:
    checked = subprocess.run(["bash", "-n", str(DEPLOY / "slurm.sbatch")], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    options = re.findall(r"^#SBATCH (\S+)", SBATCH, re.MULTILINE)
    assert {"--requeue", "--signal=B:TERM@120"} <= set(options)
    # The signal goes to the shell, which Python replaces.
    assert SBATCH.splitlines()[-1].startswith("exec .venv/bin/python -m hpo work ")


def test_workers_end_before_the_limit_of_their_job() -> None:
    (hours, minutes) = re.findall(r"^#SBATCH --time=(\d\d):(\d\d):00$", SBATCH, re.MULTILINE)[0]
    (timeout,) = re.findall(r"hpo work .*--timeout (\d+)$", SBATCH, re.MULTILINE)
    assert 0 < 60 * int(hours) + int(minutes) - int(timeout) <= 10
