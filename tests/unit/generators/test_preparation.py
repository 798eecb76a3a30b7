"""What holds in every process of the worker: threads that wait sleep, and nobody is called."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import torch

from photorig.worker.faces import segmentation as matte
from photorig.worker.preparation import PATIENT_THREADS
from photorig.worker.threads import one_torch_thread

SCRIPT = Path(sysconfig.get_path("scripts")) / "photorig"

WAYS_IN = {
    "console script": f"import runpy\nsys.argv = ['photorig', '--version']\n"
    f"with suppress(SystemExit): runpy.run_path({str(SCRIPT)!r}, run_name='__main__')",
    "fit program": "import photorig.worker.server.fits.program",
    "measuring process": "import photorig.worker.evaluation.protocols.stages",
    "shared first": "import photorig.shared.wire.messages, photorig.worker.cli.bench",
}


def environment(**settings: str) -> dict[str, str]:
    """That of somebody who has set nothing of this."""
    ours = {*PATIENT_THREADS, "OMP_NUM_THREADS", "CI"}
    return {**{k: v for k, v in os.environ.items() if k not in ours}, **settings}


def said_by_openmp(way_in: str, **settings: str) -> dict[str, str]:
    """What the OpenMP runtime that torch loads says it was told."""
    code = f"import sys\nfrom contextlib import suppress\n{way_in}\nimport torch"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=environment(OMP_DISPLAY_ENV="VERBOSE", **settings),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split("=", 1) for line in done.stderr.splitlines() if "=" in line]
    return {name.split()[-1]: value.strip(" '") for name, value in lines}


@pytest.mark.skipif(sys.platform != "linux", reason="reads what GNU's OpenMP says")
@pytest.mark.skipif(not SCRIPT.is_file(), reason="needs the installed program")
@pytest.mark.parametrize("way_in", WAYS_IN.values(), ids=WAYS_IN)
def test_openmp_is_told_to_wait_patiently_before_it_is_loaded(way_in: str) -> None:
    said = said_by_openmp(way_in)
    assert (said["OMP_WAIT_POLICY"], said["GOMP_SPINCOUNT"]) == ("PASSIVE", "0")


@pytest.mark.skipif(sys.platform != "linux", reason="reads what GNU's OpenMP says")
def test_what_the_user_has_set_stays() -> None:
    said = said_by_openmp("import photorig.worker", OMP_WAIT_POLICY="active")
    assert said["OMP_WAIT_POLICY"] == "ACTIVE"


def test_openvino_does_without_the_package_that_calls_home(tmp_path: Path) -> None:
    """The package is as good as not installed, and what needs it in OpenVINO still works."""
    code = (
        "import photorig.worker, openvino, sys\n"
        "assert not [name for name in sys.modules if name.startswith('openvino_telemetry.')]\n"
        "print(openvino.convert_model.__name__)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env=environment(HOME=str(tmp_path), USERPROFILE=str(tmp_path)),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "convert_model\n", "")
    assert not list(tmp_path.iterdir())


def test_one_torch_thread_is_given_back() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(ZeroDivisionError), one_torch_thread():
            assert torch.get_num_threads() == 1
            raise ZeroDivisionError
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_the_matte_is_computed_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Network:
        input_shape = (1, 4, 4, 3)

        def __call__(self, picture: torch.Tensor) -> tuple[torch.Tensor]:
            seen.append(torch.get_num_threads())
            return (picture[..., :1],)

    monkeypatch.setattr(matte, "_load_network", Network)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        person = matte.PersonMatte().person(np.full((8, 8, 3), 255, np.uint8))
        assert (seen, torch.get_num_threads()) == ([1], 3)
    finally:
        torch.set_num_threads(before)
    assert person.shape == (4, 4)


@pytest.mark.skipif(sys.platform != "linux", reason="only GNU's C library is told to keep it")
def test_memory_that_was_freed_is_taken_again_without_asking_the_system() -> None:
    code = (
        "import photorig.worker, resource, numpy as np\n"
        "faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "np.ones(50 << 20, np.uint8)\n"
        "before = faults()\n"
        "for _ in range(10): np.ones(50 << 20, np.uint8)\n"
        "print(faults() - before)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, check=True)
    assert int(done.stdout) < 100
