"""The script of continuous integration, in a checkout where a small Makefile stands in for the project's."""

import sys
from pathlib import Path

import pytest

from tests.tools.checkout import Checkout, run, write_script

PASSES = "def test_passes() -> None:\n    pass\n"
ALLOWED = """
@pytest.mark.skipif(True, reason="needs a GPU")
def test_gpu() -> None:
    pass

@pytest.mark.xfail
def test_known() -> None:
    assert False
"""
FORBIDDEN = """
@pytest.mark.skip(reason="no network")
def test_net() -> None:
    pass

def test_late_skip() -> None:
    pytest.skip("no ffmpeg")
"""
MAKEFILE = """lint .peer-packages .cluster-packages .share-packages .track-packages .s3-server .mlflow-server:
	@echo $@
test test-long:
	@.venv/bin/python -m pytest -q -p no:cacheprovider tests/$@
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    checkout = Checkout(tmp_path)
    checkout.copy(".ci/run")
    checkout.write("Makefile", MAKEFILE)
    (checkout.root / ".venv/bin").mkdir(parents=True)
    write_script(checkout.root / ".venv/bin/python", f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n")
    for program in ("chromium", "initdb"):
        write_script(checkout.stubs / program, "#!/bin/sh\n")
    for suite in ("test", "test-long"):
        (checkout.root / "tests" / suite).mkdir(parents=True)
        checkout.write(f"tests/{suite}/test_{suite[5:] or 'short'}.py", PASSES)
    return checkout


def run_ci(checkout: Checkout) -> tuple[int, str]:
    """Return the exit code of .ci/run and what it printed."""
    path = f"{checkout.stubs}:/usr/local/bin:/usr/bin:/bin"
    done = run([str(checkout.root / ".ci/run")], checkout.stubs, PATH=path)
    return done.returncode, done.stdout + done.stderr


def test_ci_passes_where_only_the_gpu_is_missing(checkout: Checkout) -> None:
    checkout.write("tests/test/test_some.py", "import pytest\n" + ALLOWED)
    checkout.write("tests/test-long/test_module.py", "import pytest\npytest.skip('no GPU', allow_module_level=True)\n")
    code, output = run_ci(checkout)
    assert code == 0, output
    assert output.startswith("lint\n")
    assert ".ci/run: 5 tests, 2 skipped, 0 faults" in output


def test_ci_names_each_test_that_is_skipped_for_another_reason(checkout: Checkout) -> None:
    checkout.write("tests/test/test_some.py", "import pytest\n" + ALLOWED + FORBIDDEN)
    checkout.write("tests/test-long/test_module.py", "import pytest\npytest.importorskip('module_that_is_not_there')\n")
    code, output = run_ci(checkout)
    assert code == 1
    assert "4 skipped, 3 faults" in output
    for fault in ("test_net was skipped: no network", "test_late_skip was skipped: no ffmpeg", "module_that_is_not"):
        assert fault in output


def test_ci_fails_where_a_test_runs_in_both_suites(checkout: Checkout) -> None:
    checkout.write("Makefile", MAKEFILE.replace("$@", "test"))
    code, output = run_ci(checkout)
    assert code == 1
    assert "tests.test.test_short::test_passes ran twice" in output


def test_ci_fails_where_a_test_fails_in_the_last_suite(checkout: Checkout) -> None:
    checkout.write("tests/test-long/test_some.py", "def test_fails() -> None:\n    assert False\n")
    code, output = run_ci(checkout)
    assert code != 0
    assert "1 failed, 1 passed" in output


def test_ci_fails_where_a_suite_has_no_tests(checkout: Checkout) -> None:
    (checkout.root / "tests/test/test_short.py").unlink()
    assert run_ci(checkout)[0] != 0


def test_ci_points_the_tests_at_the_shared_cifar10(checkout: Checkout) -> None:
    (checkout.root.parent / "shared/cifar10").mkdir(parents=True)
    checkout.write("Makefile", 'lint:\n\t@echo "root: $$CIFAR10_ROOT"; exit 3\n')
    code, output = run_ci(checkout)
    assert f"root: {checkout.root.parent}/shared/cifar10\n" in output
    assert code != 0
