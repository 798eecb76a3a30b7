"""What others choose, names and messages, can neither forge the log nor fill the disk with it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from photorig.shared.errors import InputError
from photorig.worker.cli import log_setup, main
from photorig.worker.cli.log_setup import Bursts, PlainFormatter, escaped, start_log

LINE = "%(levelname)s %(message)s"


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """Photorig's, as it was before afterwards."""
    logger = logging.getLogger("photorig")
    before, level = list(logger.handlers), logger.level
    yield logger
    for handler in set(logger.handlers) - set(before):
        logger.removeHandler(handler)
        handler.close()
    logger.setLevel(level)


def record(message: str, *args: object, level: int = logging.INFO) -> logging.LogRecord:
    return logging.LogRecord("photorig.x", level, "x.py", 7, message, args, None)


def test_a_name_makes_no_line_of_its_own_and_tells_the_terminal_nothing() -> None:
    name = "nobody\n2031-01-01 ERROR photorig: forged \x1b[31m\x9b\u2028\ud800"
    line = PlainFormatter(LINE).format(record("%s says hello", name))
    assert line.count("\n") == 0
    assert not {"\x1b", "\x9b", "\u2028"} & set(line)
    assert r"\n2031-01-01 ERROR photorig: forged \x1b[31m\x9b\u2028\ud800" in line
    assert escaped("Zoë 😀") == "Zoë 😀"


def test_the_lines_of_a_traceback_are_indented() -> None:
    try:
        raise ValueError("x\n2031-01-01 ERROR photorig: forged")
    except ValueError:
        failed = logging.LogRecord("x", logging.ERROR, "x.py", 7, "no", (), sys.exc_info())
    lines = PlainFormatter(LINE).format(failed).splitlines()
    assert lines[0] == "ERROR no"
    assert all(line.startswith("    ") for line in lines[1:])
    assert any("forged" in line for line in lines[1:])


def test_a_line_that_is_said_without_end_is_counted_and_not_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(log_setup.time, "monotonic", lambda: now[0])
    bursts = Bursts()
    assert sum(bursts.filter(record("no %d", n)) for n in range(40_000)) == 20
    assert bursts.filter(record("the end", level=logging.CRITICAL))
    now[0] += 11
    last = record("no %d", 1)
    assert bursts.filter(last)
    assert last.getMessage() == "no 1 (and 39980 more like it)"


def test_a_log_file_starts_anew_before_it_is_too_large(
    tmp_path: Path, logger: logging.Logger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_setup, "MAXIMUM_BYTES", 10_000)
    monkeypatch.setattr(log_setup, "_BURST", 10_000)
    start_log(tmp_path / "x.log", verbose=False)
    for number in range(1000):
        logger.info("line %d of a long story", number)
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == ["x.log", "x.log.1"]
    assert all(0 < path.stat().st_size <= 10_000 for path in files)
    assert "line 999" in files[0].read_text()


@pytest.mark.skipif(os.name != "posix", reason="file modes of POSIX")
def test_log_and_folders_are_for_their_owner_whatever_the_umask(
    tmp_path: Path, logger: logging.Logger
) -> None:
    (tmp_path / "old.log").touch(mode=0o666)
    before = os.umask(0)
    try:
        start_log(tmp_path / "a" / "b" / "x.log", verbose=False)
        start_log(tmp_path / "old.log", verbose=False)
    finally:
        os.umask(before)
    logger.info("hello")
    modes = {
        name: (tmp_path / name).stat().st_mode & 0o777
        for name in ("a", "a/b", "a/b/x.log", "old.log")
    }
    assert modes == {"a": 0o700, "a/b": 0o700, "a/b/x.log": 0o600, "old.log": 0o600}


@pytest.mark.skipif(os.name != "posix", reason="links and pipes of POSIX")
def test_a_log_that_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "victim")
    for name in ("pipe", "link", "."):
        with pytest.raises(InputError):
            start_log(tmp_path / name, verbose=False)
    assert (tmp_path / "victim").read_text() == "mine"


def test_the_log_of_failed_commands_starts_anew_and_cannot_be_forged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(main, "log_folder", lambda: tmp_path / "a" / "b")
    monkeypatch.setattr(main, "_LARGEST_LOG", 100)

    def fail(name: str) -> None:
        try:
            raise ZeroDivisionError(f"x\n--- 2031 photorig {name}")
        except ZeroDivisionError:
            assert "Details are in" in main._log(["render", f"{name}\n--- 2031 photorig forged"])

    before = os.umask(0)
    try:
        fail("first")
        fail("second")
    finally:
        os.umask(before)
    texts = {path.name: path.read_text() for path in (tmp_path / "a" / "b").iterdir()}
    assert sorted(texts) == ["photorig.log", "photorig.log.1"]
    assert "first" in texts["photorig.log.1"]
    assert all(text.count("\n---") == 0 for text in texts.values())
    if os.name == "posix":
        assert (tmp_path / "a").stat().st_mode & 0o777 == 0o700
