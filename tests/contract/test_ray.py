"""Ray behind the gateway: what it does that no other executor has to, and what happens without."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from card_server import CardWorkshop
from test_executors import NEEDS_RAY, Bench, check_pixels, store
from waiting import wait_for

from photorig.shared.errors import InputError
from photorig.worker.server.executors import ray_cluster
from photorig.worker.server.executors.entry import ExecutorOptions
from photorig.worker.server.executors.pool import Pool


def test_without_ray_there_is_a_sentence_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    workshop = CardWorkshop(tmp_path)
    with pytest.raises(InputError, match=r'pip install "photorig\[ray\]"'):
        ray_cluster.start_ray(workshop, workshop.portraits(), ExecutorOptions())


def test_nothing_imports_ray_before_it_is_chosen() -> None:
    check = (
        "import sys, photorig.worker.cli.serve, photorig.worker.server.gateway;"
        "import photorig.worker.server.executors.registry; sys.exit('ray' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", check], timeout=60).returncode == 0


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)
    os.environ["RAY_ADDRESS"] = "127.0.0.1:9"  # of another cluster, which is nobody's wish here
    workshop = CardWorkshop(store(tmp_path_factory.mktemp("portraits")).folder, 0.03)
    pool = ray_cluster.start_ray(workshop, workshop.portraits(), ExecutorOptions(actors=2))
    assert wait_for(lambda: len(_actors()) == 2, 30)
    yield pool
    pool.close()
    del os.environ["PYTHONPATH"], os.environ["RAY_ADDRESS"]


def _actors() -> list[psutil.Process]:
    """Processes of actors that are ours."""
    return [one for one, name in _family() if name.startswith("ray::RenderActor")]


def _family() -> list[tuple[psutil.Process, str]]:
    """This process and all below it, with what they were started as."""
    found = []
    for one in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        with contextlib.suppress(psutil.Error):  # it has ended meanwhile
            found.append((one, " ".join(one.cmdline())))
    return found


def _listening(process: psutil.Process) -> set[str]:
    """The addresses at which a process listens."""
    with contextlib.suppress(psutil.Error):
        connections = process.net_connections("inet")
        return {at.laddr.ip for at in connections if at.status == psutil.CONN_LISTEN}
    return set()


class TestPool:
    pytestmark = [pytest.mark.ray, NEEDS_RAY]

    def test_an_actor_that_is_killed_costs_no_frame_and_comes_back(self, pool: Pool) -> None:
        bench = Bench(pool)
        yaws = [float(n) for n in range(1, 61)]
        ids = [one for n in range(0, 60, 15) for one in bench.chunk(*yaws[n : n + 15])]
        bench.wait(ids[:1])
        _actors()[0].send_signal(signal.SIGKILL)
        outcomes = bench.wait(ids)
        for task_id, yaw in zip(ids, yaws, strict=True):
            check_pixels(outcomes[task_id], yaw)
        assert Counter(one.task_id for one in bench.done) == Counter(ids)
        assert wait_for(lambda: len([one for one in _actors() if one.is_running()]) == 2, 30)

    def test_an_actor_that_is_frozen_costs_no_frame(
        self, pool: Pool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(
            pool, "_patience", ray_cluster.Patience(frame=30.0, answer=1.0, look=0.2)
        )
        assert wait_for(lambda: sum(slot.is_free for slot in pool._slots) == 2, 30)
        bench = Bench(pool)
        ids = [one for n in range(0, 40, 10) for one in bench.chunk(*[float(n)] * 10)]
        bench.wait(ids[:1])
        frozen = _actors()[0]
        frozen.send_signal(signal.SIGSTOP)
        try:
            outcomes = bench.wait(ids)
        finally:
            if frozen.is_running():
                frozen.send_signal(signal.SIGKILL)
        assert {type(one).__name__ for one in outcomes.values()} == {"FrameReply"}

    def test_all_that_listens_listens_at_loopback_only(self, pool: Pool) -> None:
        listening = {name: _listening(one) for one, name in _family()}
        assert any("gcs_server" in name and at for name, at in listening.items())
        addresses = {one.removeprefix("::ffff:") for at in listening.values() for one in at}
        assert addresses <= {"127.0.0.1", "::1"}

    def test_nothing_is_told_to_anybody_and_the_token_is_asked_for(self, pool: Pool) -> None:
        servers = [one for one, name in _family() if "gcs_server" in name]
        settings = servers[0].environ()
        assert settings["RAY_USAGE_STATS_ENABLED"] == "0"
        assert settings["RAY_AUTH_MODE"] == "token"
        assert not _answers_at(8265), "no page of Ray's may be there"


def _answers_at(port: int) -> bool:
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.ray
@NEEDS_RAY
@pytest.mark.parametrize(
    ("address", "says"),
    [("127.0.0.1:9", "There is no Ray cluster at 127.0.0.1:9"), ("head", "cannot be used")],
)
def test_a_cluster_that_is_not_there_is_a_sentence(tmp_path: Path, address: str, says: str) -> None:
    workshop = CardWorkshop(tmp_path)
    start = time.monotonic()
    with pytest.raises(InputError, match=says):
        ray_cluster.start_ray(workshop, workshop.portraits(), ExecutorOptions(address))
    assert time.monotonic() - start < 10
