"""A name from outside may lead anywhere: only ordinary files of a sensible size are read."""

from __future__ import annotations

import os
import threading
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from photorig.shared.files.reading import read_file

unix_only = pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")


def strerror(read: Callable[[], object]) -> str:
    with pytest.raises(OSError) as caught:
        read()
    return caught.value.strerror or ""


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert read_file(path, 5) == read_file(str(path), 1 << 20) == b"12345"
    assert "larger than" in strerror(lambda: read_file(path, 4))


def test_what_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "x", 5)
    assert "folder" in strerror(lambda: read_file(tmp_path, 5))


@unix_only
def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "x"
    os.mkfifo(pipe)
    said: list[str] = []
    reader = threading.Thread(
        target=lambda: said.append(strerror(lambda: read_file(pipe, 5))), daemon=True
    )
    reader.start()
    reader.join(5)
    assert said == ["it is no ordinary file"]


@unix_only
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_link_to_a_device_is_refused(tmp_path: Path, device: str) -> None:
    link = tmp_path / "x"
    link.symlink_to(device)
    assert "ordinary" in strerror(lambda: read_file(link, 1 << 20))


@unix_only
def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")
    (tmp_path / "link").symlink_to(tmp_path / "x")
    assert read_file(tmp_path / "link", 5) == b"1"


def test_who_does_not_accept_the_file_reads_nothing(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"1")

    def refuse(status: os.stat_result) -> None:
        raise ZeroDivisionError(status.st_size)

    with pytest.raises(ZeroDivisionError, match="1"):
        read_file(tmp_path / "x", 5, refuse)


def test_a_small_file_takes_no_room_for_what_it_might_have_had(tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.write_bytes(b"few")
    tracemalloc.start()
    assert read_file(path, 512 << 20) == b"few"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20
