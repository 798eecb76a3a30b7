"""``photorig farm``: jobs without Blender, chunks of them, and a session's worker."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import platformdirs
import psutil
import pytest

from photorig.shared.farm.job import FarmJob
from photorig.shared.files.frame_index import INDEX_NAME
from photorig.shared.parameters.file import FrameParameters, write
from photorig.shared.wire.connection import ConnectionInfo
from photorig.worker.cli.main import main
from photorig.worker.farm import submit
from photorig.worker.farm.session import start_worker, stop_worker
from photorig.worker.reenactment import renderer
from photorig.worker.reenactment.renderer import FaceRenderer

from ..fakes import TinyGenerator, tiny_bundle, tiny_portrait
from ..reenactment.test_known_faces import measured
from ..stage_fakes import tiny_stage

CARDS = Path(__file__).resolve().parents[2] / "contract" / "card_server.py"


@pytest.fixture
def shot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a portrait and a performance of frames 1 to 6, and a tiny model."""
    tiny = FaceRenderer(tiny_bundle(), TinyGenerator(), tiny_stage())
    for module in (renderer, submit):
        monkeypatch.setattr(module, "load_renderer", lambda *_: tiny)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    measured(tiny_portrait()).save(tmp_path / "anna.portrait")
    take = [FrameParameters(frame, {"jawOpen": frame / 10}) for frame in range(1, 7)]
    write(tmp_path / "take.jsonl", take)
    return tmp_path


def submitted(shot: Path, *words: str, farm: str = "openjd") -> Path:
    job = shot / "job"
    given = [str(shot / "anna.portrait"), str(shot / "take.jsonl"), "--out", str(job)]
    assert main(["farm", farm, *given, "--size", "8", "--chunk", "2", *words]) == 0
    return job


def render(job: Path, out: Path, frames: str, *words: str) -> int:
    return main(["farm", "render", str(job), "--frames", frames, "--out", str(out), *words])


def pictures(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.glob("*.png"))}


def test_chunks_make_the_frames_that_one_computer_makes(shot: Path) -> None:
    job = submitted(shot)
    for frames in ("5-6", "1-2", "3,4"):
        assert render(job, shot / "chunks", frames) == 0
    given = [str(shot / "anna.portrait"), str(shot / "take.jsonl"), "--out", str(shot / "whole")]
    assert main(["render", *given, "--size", "8"]) == 0
    assert pictures(shot / "chunks") == pictures(shot / "whole")
    assert len(pictures(shot / "whole")) == 6


def test_what_another_node_has_made_is_left_alone(
    shot: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The journal in a folder that nodes share may lack it; the picture says it itself."""
    job, out = submitted(shot), shot / "out"
    assert render(job, out, "1-2") == 0
    before = (out / "frame_0001.png").stat().st_mtime_ns
    (out / INDEX_NAME).unlink()
    assert render(job, out, "1-3", "--messages", "openjd") == 0
    assert (out / "frame_0001.png").stat().st_mtime_ns == before
    assert "Rendered 1 frames" in (said := capsys.readouterr().out)
    assert "openjd_progress: 100.0\nopenjd_status: frame 3, 3 of 3" in said


def test_the_job_holds_copies_of_all_that_it_needs(shot: Path) -> None:
    job = submitted(shot, "--frames", "2-4", "--mode", "absolute")
    (shot / "anna.portrait").unlink()
    (shot / "take.jsonl").unlink()
    assert FarmJob.load(job).range == "2-4"
    assert render(job, shot / "out", "2-4") == 0
    assert len(pictures(shot / "out")) == 3


def test_two_faces_of_a_photo_are_one_job(shot: Path) -> None:
    measured(tiny_portrait(seed=1)).save(shot / "ben.portrait")
    job = submitted(shot, "--with", str(shot / "ben.portrait"), str(shot / "take.jsonl"))
    faces = FarmJob.load(job).faces
    assert [face.performance for face in faces] == ["performance.jsonl", "performance-2.jsonl"]


def test_a_node_that_differs_makes_no_frame(shot: Path, capsys: pytest.CaptureFixture[str]) -> None:
    job = submitted(shot)
    place = job / "expected.json"
    told = json.loads(place.read_text())
    told["facts"]["bundle"] = "f" * 64
    place.write_text(json.dumps(told))
    assert main(["farm", "preflight", str(place), "--messages", "openjd"]) == 1
    assert "openjd_fail: This node makes no frame of the shot: its model bundle is" in (
        capsys.readouterr().out
    )
    assert render(job, shot / "out", "1-2") == 1
    assert "its model bundle is" in capsys.readouterr().err
    assert not pictures(shot / "out")


def test_the_submitters_own_computer_is_let_through(
    shot: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = submitted(shot)
    assert main(["farm", "preflight", str(job / "expected.json")]) == 0
    assert "this node is as the submitter's computer" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["x.portrait"], "has a portrait and its performance"),
        (["a.blend", "b.blend"], "Several shots are several jobs"),
        (["none.blend"], "There is no file none.blend"),
        (["x.portrait", "p.jsonl", "--nodes", "blender"], "A job without a .blend file"),
    ],
)
def test_what_is_no_shot_is_a_sentence(
    words: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["farm", "openjd", *words, "--out", str(tmp_path / "job")]) == 1
    assert sentence in capsys.readouterr().err


def test_a_blender_that_is_not_there_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.blend").write_bytes(b"BLENDER")
    monkeypatch.setenv("PHOTORIG_BLENDER", "no-such-blender")
    words = ["farm", "openjd", str(tmp_path / "a.blend"), "--out", str(tmp_path / "job")]
    assert main(words) == 1
    assert "There is no program no-such-blender" in capsys.readouterr().err


def test_frames_that_the_performance_lacks_are_a_sentence(
    shot: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(shot / "anna.portrait"), str(shot / "take.jsonl"), "--out", str(shot / "job")]
    assert main(["farm", "openjd", *given, "--frames", "5-9"]) == 1
    assert "has no frame 7" in capsys.readouterr().err


@pytest.fixture
def card_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A worker of test cards, by the variable that names the worker on nodes."""
    path = tmp_path / "cards"
    kept = tmp_path / "kept"
    command = f'"{sys.executable}" "{CARDS}" "$@" --portraits "{kept}"'
    path.write_text(f"#!/bin/sh\nexec {command}\n")
    path.chmod(0o700)
    monkeypatch.setenv("PHOTORIG_WORKER", str(path))
    return path


def test_a_sessions_worker_outlives_the_command_and_ends_with_the_session(
    card_program: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, rules = tmp_path / "session", tmp_path / "rules.json"
    rules.write_text("{}")
    words = ["farm", "start-worker", "--folder", str(folder), "--path-mapping", str(rules)]
    assert main([*words, "--messages", "openjd"]) == 0
    said = capsys.readouterr().out
    assert f"openjd_env: PHOTORIG_CONNECTION={folder / 'worker.json'}" in said
    assert f"openjd_env: PHOTORIG_PATH_MAPPING={folder / 'path_mapping.json'}" in said
    process = psutil.Process(ConnectionInfo.load(folder / "worker.json").pid)
    assert main(["farm", "stop-worker", "--folder", str(folder)]) == 0
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert main(["farm", "stop-worker", "--folder", str(folder)]) == 0  # a farm may say it twice
    assert "There was no worker any more." in capsys.readouterr().out


def test_a_worker_that_cannot_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken"
    path.write_text("#!/bin/sh\necho 'photorig: The model is damaged.' >&2\nexit 1\n")
    path.chmod(0o700)
    monkeypatch.setenv("PHOTORIG_WORKER", str(path))
    words = ["farm", "start-worker", "--folder", str(tmp_path / "s"), "--messages", "openjd"]
    assert main(words) == 1
    assert "openjd_fail: The worker ended before it was ready. photorig: The model" in (
        capsys.readouterr().out
    )


def test_another_process_with_the_workers_number_is_left_alone(
    card_program: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "session"
    file = start_worker(folder)
    content = file.read_bytes()
    pid = ConnectionInfo.load(file).pid
    try:
        mine = content.replace(f'"pid": {pid}'.encode(), f'"pid": {psutil.Process().pid}'.encode())
        assert mine != content
        file.write_bytes(mine)
        file.chmod(0o600)
        assert not stop_worker(folder)
    finally:
        file.write_bytes(content)
        file.chmod(0o600)
        assert stop_worker(folder)
