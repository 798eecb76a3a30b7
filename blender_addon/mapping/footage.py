# SPDX-License-Identifier: GPL-3.0-or-later
"""Import Performance from footage and sound: a program of its own measures it in the background,
and what it writes is keyed like any other take."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..client.process import find_executable
from ..compat import strips_of
from ..link.jobs import TICK_SECONDS, Job, JobSlot, data_block, with_time_left
from ..link.link import redraw_panels
from ..link.options import worker_options
from ..link.redraw import redraw_status_bars
from ..shared import programs
from ..shared.errors import InputError
from .performance import ImportOptions, Keyed, import_performance

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".gif")
SOUND_SUFFIXES = (".wav", ".mp3", ".flac", ".ogg", ".opus", ".m4a", ".aac", ".aif", ".aiff", ".wma")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".avif", ".exr")
_COUNT = re.compile(r"^(\d+) of (\d+) (?:frames|seconds)", re.MULTILINE)
_NOTES = ("warning: ", "note: ")
_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")
_SECONDS_BETWEEN_LINES = "0.5"
_LOG_BYTES = 4096


@dataclass(frozen=True)
class _Places:
    """Where the analysis stands, writes and complains."""

    folder: Path
    take: Path
    log: Path


@dataclass(frozen=True)
class Footage:
    """What is measured, and how.

    Attributes:
        path: the file, the folder, or a pattern as ``shot_####.png``.
        command: of the worker's program, ``analyze`` or ``lips``.
        options: of that command.
        stage: what a person is told meanwhile.
        with_sound: put its sound into the sequencer as well.
    """

    path: Path
    command: str = "analyze"
    options: tuple[str, ...] = ()
    stage: str = "Analysing"
    with_sound: bool = True


def footage_of(
    path: Path,
    rate: float,
    sequence_rate: float,
    with_sound: bool = True,
    from_sound: bool = False,
    speech: tuple[str, ...] = (),
) -> Footage | None:
    """How a file is measured; None for what is a take already.

    Args:
        rate: frames a second of the scene, in which lips are written.
        sequence_rate: of pictures that are a film.
        from_sound: lips only, by what is heard in a video.
        speech: options of the command for what is known of the speech.
    """
    suffix = path.suffix.lower()
    if suffix in SOUND_SUFFIXES or (from_sound and suffix in VIDEO_SUFFIXES):
        return Footage(path, "lips", ("--fps", f"{rate:.6f}", *speech), "Listening", with_sound)
    if suffix in VIDEO_SUFFIXES:
        return Footage(path, with_sound=with_sound)
    if suffix in PICTURE_SUFFIXES or path.is_dir():
        options = ("--fps", f"{sequence_rate:.6f}")
        return Footage(_sequence(path), "analyze", options, with_sound=False)
    return None


def _sequence(path: Path) -> Path:
    """``shot_####.png`` of all pictures that are named as this one but for their last number."""
    number = _LAST_NUMBER.search(path.stem)
    if number is None or path.is_dir():
        return path
    before, after = path.stem[: number.start()], path.stem[number.end() :] + path.suffix
    alike = re.compile(f"{re.escape(before)}\\d+{re.escape(after)}")
    count = sum(alike.fullmatch(each.name) is not None for each in path.parent.iterdir())
    return path.with_name(f"{before}{'#' * len(number[0])}{after}") if count > 1 else path


class FootageJob(Job):
    """Footage that is being measured.

    Attributes:
        footage: what it is.
        keyed: what became of it, None before the end.
        notes: what the person should know of it, once it is keyed.
    """

    needs_worker = False  # a program of its own: the worker may render meanwhile

    def __init__(
        self,
        scene: bpy.types.Scene,
        camera: bpy.types.Camera,
        footage: Footage,
        options: ImportOptions,
    ) -> None:
        """See ``start``."""
        super().__init__()
        self.footage = footage
        self.keyed: Keyed | None = None
        self.notes: tuple[str, ...] = ()
        self._scene, self._camera = scene.session_uid, camera.session_uid
        self._options = options
        self._program: subprocess.Popen[bytes] | None = None
        self._cleanup = contextlib.ExitStack()
        self._progress, self._ticks = 0.0, 0

    @property
    def summary(self) -> str:
        """One sentence for the person who waits."""
        if self.error:
            return self.error
        if self.keyed is not None:
            first, last = self.keyed.first, self.keyed.last
            return f"{self.footage.path.name}: frames {first:.4g} to {last:.4g} were keyed"
        return with_time_left(self.footage.stage, self._progress, self._ticks * TICK_SECONDS)

    @property
    def progress(self) -> float:
        return self._progress

    @property
    def _has_begun(self) -> bool:
        return self._program is not None

    def _begin(self) -> None:
        program = find_executable(worker_options().executable)
        folder = Path(self._cleanup.enter_context(tempfile.TemporaryDirectory(prefix="photorig-")))
        self._places = _Places(folder, folder / "take.jsonl", folder / "analyze.log")
        log = self._cleanup.enter_context(self._places.log.open("wb"))
        what = self.footage
        try:
            self._program = programs.start(
                [program, what.command, what.path, "--out", self._places.take, *what.options],
                folder,
                _environment(),
                stdout=log,
                stderr=log,
            )
        except OSError as error:
            raise InputError(
                f"The worker program {program} cannot be run: {error.strerror}",
                "Check its path in the preferences.",
            ) from error

    def _go_on(self) -> None:
        assert self._program is not None
        self._ticks += 1
        code = self._program.poll()
        said = _tail(self._places.log)
        if code is None:
            counts = _COUNT.findall(said)
            if counts:
                done, total = map(int, counts[-1])
                self._progress = min(done / max(total, 1), 1.0)
            return
        failure = ""
        if code != 0:
            failure = _last_words(said) or f"{self.footage.path.name} could not be analysed"
            if not self._places.take.is_file():
                raise InputError(failure)
        self._key(failure, _notes(said))

    def _key(self, failure: str, notes: tuple[str, ...]) -> None:
        """Key what was measured; where the program failed later, that is kept and told."""
        camera = data_block(bpy.data.cameras, self._camera)
        scene = data_block(bpy.data.scenes, self._scene)
        if camera is None or scene is None:
            raise InputError("The camera is not in this file any more", "Import it again.")
        self.keyed = import_performance(scene, camera, self._places.take, self._options)
        rig = self.keyed.rig.sentences() if self.keyed.rig is not None else []
        self.notes = (*((failure,) if failure else ()), *notes, *rig)
        if self.footage.with_sound:
            add_sound(scene, self.footage.path, round(self.keyed.first))
        scene.frame_set(scene.frame_current)
        if not bpy.app.background:
            bpy.ops.ed.undo_push(message="Import Performance")
        self.is_done = True
        self._cleanup.close()

    def _stop(self) -> None:
        if self._program is not None and self._program.poll() is None:
            self._program.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._program.wait(2)
        self._cleanup.close()


def add_sound(scene: bpy.types.Scene, video: Path, frame: int) -> bool:
    """Put a video's sound into the scene's sequencer, from this frame on. Returns whether it has
    any; a strip of the same file that begins there stays the only one."""
    editor = scene.sequence_editor or scene.sequence_editor_create()
    strips = strips_of(editor)
    for strip in strips:
        is_sound = strip.type == "SOUND" and strip.sound is not None
        if is_sound and Path(bpy.path.abspath(strip.sound.filepath)) == video:
            strip.frame_start = frame
            return True
    used = {strip.channel for strip in strips}
    channel = next(number for number in range(1, 129) if number not in used)
    try:
        strips.new_sound(video.stem, str(video), channel, frame)
    except RuntimeError:  # Blender finds no sound in it
        return False
    return True


def _environment() -> dict[str, str]:
    return {**os.environ, "PHOTORIG_PROGRESS_SECONDS": _SECONDS_BETWEEN_LINES}


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - _LOG_BYTES))
        return file.read().decode("utf-8", "replace")


def _last_words(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1].removeprefix("photorig: ") if lines else ""


def _notes(said: str) -> tuple[str, ...]:
    """What the program warned of."""
    lines = (line.strip() for line in said.splitlines())
    told = [line for line in lines if line.startswith(_NOTES)]
    return tuple(line.partition(": ")[2].capitalize().rstrip(".") for line in told)


def _redraw() -> None:
    redraw_status_bars()
    redraw_panels()


slot = JobSlot[FootageJob](
    busy=("Another recording is being analysed", "Wait for it, or cancel it."),
    idle="No recording is being analysed",
    stopped="The import was cancelled",
    other_file="Another file was opened",
    redraw=_redraw,
)


def start(
    context: bpy.types.Context,
    camera: bpy.types.Camera,
    footage: Footage,
    options: ImportOptions,
) -> FootageJob:
    """Begin; a timer moves it on where there is a user interface.

    Raises:
        InputError: another recording is being analysed, or this one is not there.
    """
    where = footage.path.parent if "#" in footage.path.name else footage.path
    if not where.exists():
        raise InputError(f"There is no file {str(footage.path)!r}", "Choose it again.")
    return slot.start(lambda: FootageJob(context.scene, camera, footage, options))
