"""A worker on another computer: paired once, its keys in no .blend file, and waited for when the
network fails."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import bpy
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "faults"))

from network import Network

PORT = 20_000 + os.getpid() % 12_000


@pytest.fixture
def preferences(addon: ModuleType) -> Iterator[Any]:
    chosen = bpy.context.preferences.addons[addon.__name__].preferences
    yield chosen
    chosen.place, chosen.connection_file, chosen.host = "LOCAL", "", ""


@pytest.fixture
def pairing(tmp_path: Path) -> Iterator[SimpleNamespace]:
    """``photorig pair`` on the worker's side, and what it showed."""
    program = os.environ.get("PHOTORIG_WORKER")
    if not program:
        pytest.skip("PHOTORIG_WORKER does not name the photorig program")
    state = tmp_path / "state"
    environment = {**os.environ, "XDG_STATE_HOME": str(state), "PYTHONUNBUFFERED": "1"}
    command = [program, "pair", "--bind", f"tcp://127.0.0.1:{PORT}"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = "".join(process.stdout.readline() for _ in range(3))
    code = re.search(r": (\w{5}-\w{5}-\w{5}-\w{5})\n", said)
    print_of_it = re.search(r"worker: ([0-9A-F ]{24})\n", said)
    assert code and print_of_it, said
    yield SimpleNamespace(
        process=process, code=code[1], fingerprint=print_of_it[1], state=state / "photorig"
    )
    process.kill()
    process.wait()


def test_pairing_takes_a_code_and_keeps_the_keys_out_of_files_that_travel(
    preferences: Any,
    shot: bpy.types.Scene,
    modules: SimpleNamespace,
    pairing: SimpleNamespace,
    tmp_path: Path,
) -> None:
    bpy.ops.photorig.pair_worker(address=f"127.0.0.1:{PORT}", code=pairing.code)
    assert pairing.process.wait(20) == 0
    assert preferences.place == "REMOTE"
    path = Path(preferences.connection_file)
    keys = json.loads(path.read_text())
    assert path.stat().st_mode & 0o077 == 0
    assert modules.paired.fingerprint_of(str(path)) == pairing.fingerprint
    assert keys["client_public_key"] in (pairing.state / "clients.txt").read_text()
    blend, settings = tmp_path / "shot.blend", Path(bpy.utils.user_resource("CONFIG", create=True))
    bpy.ops.wm.save_as_mainfile(filepath=str(blend), compress=False)
    bpy.ops.wm.save_userpref()
    for content in (blend.read_bytes(), (settings / "userpref.blend").read_bytes()):
        for secret in (keys["client_secret_key"], keys["client_public_key"], pairing.code):
            assert secret.encode() not in content
    path.unlink()


def test_a_wrong_code_is_one_sentence_and_changes_nothing(
    preferences: Any, scene: bpy.types.Scene
) -> None:
    with pytest.raises(RuntimeError, match="no pairing code"):
        bpy.ops.photorig.pair_worker(address="127.0.0.1", code="ABC")
    with pytest.raises(RuntimeError, match=r"no address|Allow Online Access"):
        bpy.ops.photorig.pair_worker(address="a b", code="00000-00000-00000-00000")
    assert (preferences.place, preferences.connection_file) == ("LOCAL", "")


def test_a_sequence_goes_on_when_the_network_comes_back(
    preferences: Any,
    shot: bpy.types.Scene,
    modules: SimpleNamespace,
    card_worker_program: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(modules.link, "_TRY_AGAIN_SECONDS", 0.2)
    monkeypatch.setenv("PHOTORIG_TEST_DELAY", "0.15")
    file, folder = tmp_path / "elsewhere.json", tmp_path / "frames"
    with subprocess.Popen(
        [card_worker_program, "serve", "--connection-file", file], stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        addresses = json.loads(file.read_text())
        ports = [int(addresses[name].rpartition(":")[2]) for name in ("control", "bulk")]
        network = Network(lambda: (("127.0.0.1", ports[0]), ("127.0.0.1", ports[1])))
        for name, port in zip(("control", "bulk"), network.ports, strict=True):
            addresses[name] = f"tcp://127.0.0.1:{port}"
        file.write_text(json.dumps(addresses))
        file.chmod(0o600)
        preferences.place, preferences.connection_file = "REMOTE", str(file)
        shot.frame_end = 12

        def cut_when_some_are_there() -> None:
            while len(list(folder.glob("frame_*.png"))) < 3:
                time.sleep(0.02)
            network.cut(3.0)

        threading.Thread(target=cut_when_some_are_there, daemon=True).start()
        bpy.ops.photorig.render_to_sequencer(directory=f"{folder}/")
        job = modules.sequence_job.slot.current
        modules.link.link.stop()
        network.close()
        worker.terminate()
    assert (job.error, job.finished) == ("", 12)
    assert job.restarts >= 1
    assert len(list(folder.glob("frame_*.png"))) == 12


def test_a_worker_elsewhere_that_does_not_come_back_ends_the_sequence_with_a_sentence(
    preferences: Any,
    shot: bpy.types.Scene,
    modules: SimpleNamespace,
    card_worker_program: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(modules.link, "_TRY_AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(modules.link, "_TRY_TIMEOUT", 0.3)
    monkeypatch.setattr(modules.sequence_job, "TRYING_SECONDS", 1.0)
    monkeypatch.setenv("PHOTORIG_TEST_DELAY", "0.15")
    file, folder = tmp_path / "elsewhere.json", tmp_path / "frames"
    with subprocess.Popen(
        [card_worker_program, "serve", "--connection-file", file], stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        kept = tmp_path / "kept.json"
        data = json.loads(file.read_text()) | {"machine": "studio"}
        kept.write_text(json.dumps(data))
        kept.chmod(0o600)
        preferences.place, preferences.connection_file = "REMOTE", str(kept)
        shot.frame_end = 12

        def end_when_some_are_there() -> None:
            while len(list(folder.glob("frame_*.png"))) < 2:
                time.sleep(0.02)
            worker.kill()

        threading.Thread(target=end_when_some_are_there, daemon=True).start()
        with pytest.raises(RuntimeError, match="does not answer"):
            bpy.ops.photorig.render_to_sequencer(directory=f"{folder}/")
    assert 2 <= len(list(folder.glob("frame_*.png"))) < 12
