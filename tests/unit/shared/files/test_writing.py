"""Files that are there whole or not at all: the one writer, and what it finds out beforehand."""

from __future__ import annotations

import errno
import multiprocessing
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest

from photorig.shared.errors import InputError
from photorig.shared.files import writing
from photorig.shared.files.frame_index import FrameIndex

POSIX = pytest.mark.skipif(os.name != "posix", reason="POSIX permissions and devices")
NOBODY = 54321


@pytest.fixture(params=["nameless", "named", "no links"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Linux makes files without a name; other systems and some containers do not."""
    if request.param == "named":
        monkeypatch.setattr(writing, "_NAMELESS", 0)
    elif request.param == "no links":

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", refuse)
    return str(request.param)


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path, way: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"before")
    writing.write_atomically(path, b"after")
    assert path.read_bytes() == b"after"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_on_the_way_leaves_the_old_file(tmp_path: Path, way: str) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"before")
    with pytest.raises(ZeroDivisionError), writing.replacing(path) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


@POSIX
def test_modes_are_those_of_any_file_or_of_a_secret(tmp_path: Path, way: str) -> None:
    writing.write_atomically(tmp_path / "a", b"")
    (tmp_path / "b").write_bytes(b"")
    writing.write_atomically(tmp_path / "c", b"", private=True)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in "abc"]
    assert modes[0] == modes[1]
    assert modes[2] == 0o600


@pytest.mark.parametrize("length", [1, 2, 4, 5, 9, 10, 13, 14, 200, 255])
def test_no_temporary_name_is_longer_than_the_final_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, length: int
) -> None:
    names: list[str] = []
    opened, linked = os.open, os.link

    def note_open(path: Path, *arguments: object, **options: object) -> int:
        names.append(Path(path).name)
        return opened(path, *arguments, **options)  # type: ignore[arg-type]

    def note_link(source: str, path: Path, **options: object) -> None:
        names.append(Path(path).name)
        linked(source, path, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", note_open)
    monkeypatch.setattr(os, "link", note_link)
    path = tmp_path / ("ä" * (length // 2) + "x" * (length % 2))
    writing.write_atomically(path, b"content")
    assert path.read_bytes() == b"content"
    beside = [name for name in names if name != tmp_path.name]
    assert all(len(os.fsencode(name)) <= max(length, 4) for name in beside)


def _store_frames(folder: Path, complaints: multiprocessing.Queue[list[str]]) -> None:
    index, found = FrameIndex(folder), []
    for frame in range(1, 201):
        try:
            index.store(frame, "k" * 64, bytes(30_000))
        except InputError as error:
            found.append(f"{frame}: {error}")
    complaints.put(found)


@pytest.mark.parametrize("nameless", [writing._NAMELESS, 0])
def test_two_processes_that_write_the_same_frames_never_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nameless: int
) -> None:
    monkeypatch.setattr(writing, "_NAMELESS", nameless)
    context = multiprocessing.get_context("fork" if os.name == "posix" else "spawn")
    complaints = context.Queue()
    writers = [context.Process(target=_store_frames, args=(tmp_path, complaints)) for _ in "ab"]
    for writer in writers:
        writer.start()
    assert [complaints.get(timeout=120) for _ in writers] == [[], []]
    for writer in writers:
        writer.join()
    index = FrameIndex(tmp_path)
    assert all(index.is_finished(frame, "k" * 64) for frame in range(1, 201))
    assert len(list(tmp_path.iterdir())) == 201


KILLED = """
import os, sys
from pathlib import Path
from photorig.shared.files import writing
if sys.argv[2] == "named":
    writing._NAMELESS = 0
with writing.replacing(Path(sys.argv[1])) as file:
    file.write(bytes(100_000))
    file.flush()
    os.kill(os.getpid(), 9)
"""


@POSIX
@pytest.mark.parametrize("way", ["nameless", "named"])
def test_a_killed_process_leaves_nothing_that_stays(tmp_path: Path, way: str) -> None:
    words = [sys.executable, "-P", "-c", KILLED, str(tmp_path / "frame_0001.png"), way]
    subprocess.run(words, timeout=60, check=False)
    left = list(tmp_path.iterdir())
    assert len(left) <= (way == "named")
    for path in left:
        assert path.name.startswith(".") and path.name.endswith(".part")
        os.utime(path, (1, 1))
    (tmp_path / ".somebody's file.part").write_bytes(b"")
    FrameIndex(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".somebody's file.part"]


def full(*_: object) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_is_full_at_any_step_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, step: str
) -> None:
    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), full)
    with pytest.raises(InputError, match="is full"):
        writing.write_atomically(tmp_path / "a.png", b"content")
    assert not list(tmp_path.iterdir())


def test_a_line_is_added_to_a_journal(tmp_path: Path) -> None:
    for line in (b"one\n", b"two\n"):
        writing.append(tmp_path / "journal", line)
    assert (tmp_path / "journal").read_bytes() == b"one\ntwo\n"


@POSIX
def test_a_link_that_lies_in_wait_is_neither_written_through_nor_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"precious")
    (tmp_path / "frame.png").symlink_to(precious)
    (tmp_path / "journal").symlink_to(precious)
    writing.write_atomically(tmp_path / "frame.png", b"pixels")
    with pytest.raises(InputError, match="Cannot write"):
        writing.append(tmp_path / "journal", b"line\n")
    assert precious.read_bytes() == b"precious"
    assert not (tmp_path / "frame.png").is_symlink()


@POSIX
@pytest.mark.parametrize("kind", ["pipe", "device", "link to a device"])
def test_devices_and_pipes_are_no_targets(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "target"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/full")
    else:
        path.symlink_to("/dev/null")
    for write in (
        lambda: writing.write_atomically(path, b"content"),
        lambda: writing.append(path, b"line\n"),
        lambda: writing.check_writable(path),
    ):
        with pytest.raises(InputError, match="a device or a pipe"):
            write()
    assert not path.is_file()


# --- before the work


def test_what_can_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    writing.check_writable(path)
    writing.check_folder_writable(tmp_path / "new" / "folder")
    assert not list(tmp_path.iterdir())
    path.write_bytes(b"a film")
    writing.check_writable(path)
    assert path.read_bytes() == b"a film"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("", "is a folder"),
        ("none/a.mp4", "There is no folder"),
        ("file/a.mp4", "There is no folder"),
        ("x" * 256, r"The name x{24}… is too long"),
        ("ä" * 126 + ".mp4", r"The name ä{24}… is too long"),
    ],
)
def test_names_that_no_file_can_have_are_told(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match=sentence):
        writing.check_writable(tmp_path / name)


def test_a_name_at_the_limit_is_none_too_many(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 251 + ".mp4")
    writing.check_writable(path)
    writing.write_atomically(path, b"a film")
    assert path.read_bytes() == b"a film"


@pytest.mark.parametrize("name", ["file", "file/folder", "x" * 256, "new/" + "x" * 256])
def test_folders_that_cannot_be_made_are_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InputError, match=r"is a file|too long|Cannot write"):
        writing.check_folder_writable(tmp_path / name)


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1000, 1000, 0))
    for check in (writing.check_writable, writing.check_folder_writable):
        with pytest.raises(InputError, match="is full"):
            check(tmp_path / "x")


CHECK = f"""
import os, sys
from pathlib import Path
from photorig.shared.files import writing
if os.getuid() == 0:
    os.setuid({NOBODY})
try:
    getattr(writing, sys.argv[1])(Path(sys.argv[2]))
except Exception as error:
    sys.exit(type(error).__name__ + ": " + str(error))
"""


@POSIX
@pytest.mark.parametrize(
    ("check", "name", "sentence"),
    [
        ("check_writable", "folder/new.mp4", "folder is write-protected"),
        ("check_writable", "protected.mp4", "protected.mp4 is write-protected"),
        ("check_folder_writable", "folder/new", "folder is write-protected"),
    ],
)
def test_what_is_write_protected_is_told(
    public_folder: Path, check: str, name: str, sentence: str
) -> None:
    (public_folder / "folder").mkdir(mode=0o555)
    (public_folder / "protected.mp4").write_bytes(b"a film")
    (public_folder / "protected.mp4").chmod(0o444)
    words = [sys.executable, "-P", "-c", CHECK, check, str(public_folder / name)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.startswith("InputError"), done.stderr
    assert sentence in done.stderr


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder where every user may write; those of pytest are for their owner only."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
