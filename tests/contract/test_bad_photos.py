"""Broken, odd and hostile photos: one sentence, exit code 1, no traceback, no file written."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import bad_photos
import numpy as np
import platformdirs
import pytest
from PIL import Image

from photorig.worker.cli.main import main

posix = pytest.mark.skipif(os.name != "posix", reason="there are no such files here")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the photo lies; an unexpected failure would write its log beside it."""
    photos = tmp_path / "photos"
    photos.mkdir()
    monkeypatch.setattr(platformdirs, "user_log_dir", lambda *_, **__: str(tmp_path / "log"))
    monkeypatch.chdir(tmp_path)
    return photos


def complaint_about(photo: Path, capfd: pytest.CaptureFixture[str], *words: str) -> str:
    """What `photorig fit` says about a photo; checks that this is all it does."""
    before = everything_in(Path.cwd())
    code = main(["fit", str(photo), "--out", "out.portrait", *words])
    said = capfd.readouterr()
    assert code == 1, said.err
    assert said.out == ""
    assert said.err.startswith("photorig: ")
    assert said.err.endswith(".\n")
    assert said.err.count("\n") == 1, said.err
    assert len(said.err) < 400
    assert "Traceback" not in said.err and "unexpected" not in said.err
    assert everything_in(Path.cwd()) == before
    return said.err


def everything_in(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path), path.lstat().st_mtime_ns) for path in folder.rglob("*"))


def test_there_are_at_least_thirty_kinds() -> None:
    assert len(bad_photos.CONTENTS) + len(bad_photos.PLACES) >= 50


@pytest.mark.parametrize("kind", bad_photos.CONTENTS)
def test_a_file_that_is_no_photo_gets_one_sentence(kind: str, folder: Path, capfd) -> None:
    name, content, expected = bad_photos.CONTENTS[kind]
    (folder / name).write_bytes(content())
    started = time.process_time()
    assert expected in complaint_about(folder / name, capfd)
    assert time.process_time() - started < 3


@posix
@pytest.mark.parametrize("kind", bad_photos.PLACES)
def test_a_path_without_a_photo_gets_one_sentence(kind: str, folder: Path, capfd) -> None:
    make, expected = bad_photos.PLACES[kind]
    assert expected in complaint_about(make(folder), capfd)


@posix
def test_a_photo_that_may_not_be_read_gets_one_sentence(folder: Path, capfd, monkeypatch) -> None:
    path = folder / "secret.jpg"
    path.write_bytes(bad_photos.encoded("JPEG"))
    path.chmod(0)
    if os.geteuid() == 0:  # nothing is forbidden to the administrator

        def forbidden(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", forbidden)
    complaint = complaint_about(path, capfd)
    monkeypatch.undo()
    assert "may not be read" in complaint


@pytest.mark.parametrize("kind", ["half a JPEG", "a comment that unpacks to 16 megabytes", "noise"])
def test_as_a_program_of_its_own_it_is_the_same(kind: str, folder: Path) -> None:
    name, content, expected = bad_photos.CONTENTS[kind]
    (folder / name).write_bytes(content())
    words = [sys.executable, "-m", "photorig.worker.cli.main", "fit", str(folder / name)]
    done = subprocess.run(
        [*words, "--out", "out.portrait"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert expected in done.stderr and done.stderr.count("\n") == 1
    assert not Path("out.portrait").exists()


@pytest.mark.parametrize("kind", ["noise", "a HEIC photo", "half a PNG", "a web page", "a sound"])
def test_analyze_says_no_less(kind: str, folder: Path, capfd) -> None:
    name, content, _ = bad_photos.CONTENTS[kind]
    (folder / name).write_bytes(content())
    assert main(["analyze", str(folder / name), "--out", "params.jsonl"]) == 1
    said = capfd.readouterr()
    assert said.err.count("\n") == 1 and "unexpected" not in said.err
    assert not Path("params.jsonl").exists()


def test_the_photo_may_be_called_anything_that_a_file_may_be_called(folder: Path, capfd) -> None:
    path = folder / "Jörg & Søn “–rf”\n{0} %s.jpg"
    path.write_bytes(b"no photo")
    assert "is not a picture" in complaint_about(path, capfd)


@pytest.mark.weights("face-landmarker")
@pytest.mark.parametrize(
    "picture",
    [
        np.full((300, 300, 3), 128, np.uint8),
        np.zeros((1, 1, 3), np.uint8),
        np.full((2, 900, 3), 200, np.uint8),
        np.random.default_rng(1).integers(0, 256, (300, 400, 3), np.uint8),
    ],
    ids=["grey", "one pixel", "a line", "noise"],
)
def test_a_picture_without_a_face_gets_one_sentence(picture, folder: Path, capfd) -> None:
    Image.fromarray(picture).save(folder / "a.png")
    assert "No face was found" in complaint_about(folder / "a.png", capfd)


@pytest.mark.weights("face-landmarker")
@pytest.mark.parametrize("number", ["1", "-1", "99999999999"])
def test_a_face_that_is_not_there_gets_one_sentence(number: str, folder: Path, capfd) -> None:
    complaint = complaint_about(bad_photos.ASTRONAUT, capfd, "--face", number)
    assert f"no face number {number}" in complaint
