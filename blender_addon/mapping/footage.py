# SPDX-License-Identifier: GPL-3.0-or-later
"""Import Performance from a video: analysed in the background, then keyed like any other take."""

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
from ..link.options import worker_options
from ..link.redraw import redraw_status_bars
from ..shared import programs
from ..shared.errors import InputError
from .performance import ImportOptions, Keyed, import_performance

VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".gif")
_COUNT = re.compile(r"^(\d+) of (\d+) frames", re.MULTILINE)
_SECONDS_BETWEEN_LINES = "0.5"
_LOG_BYTES = 4096


@dataclass(frozen=True)
class _Places:
    """Where the analysis stands, writes and complains."""

    folder: Path
    take: Path
    log: Path


class FootageJob(Job):
    """One video that is being analysed.

    Attributes:
        video: the file.
        keyed: what became of it, None before the end.
    """

    needs_worker = False  # a program of its own: the worker may render meanwhile

    def __init__(
        self,
        scene: bpy.types.Scene,
        camera: bpy.types.Camera,
        video: Path,
        options: ImportOptions,
        with_sound: bool,
    ) -> None:
        """See ``start``."""
        super().__init__()
        self.video = video
        self.keyed: Keyed | None = None
        self._scene, self._camera = scene.session_uid, camera.session_uid
        self._options, self._with_sound = options, with_sound
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
            return f"{self.video.name}: frames {first:.4g} to {last:.4g} were keyed"
        return with_time_left("Analysing", self._progress, self._ticks * TICK_SECONDS)

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
        try:
            self._program = programs.start(
                [program, "analyze", self.video, "--out", self._places.take],
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
        if code != 0:
            raise InputError(_last_words(said) or f"{self.video.name} could not be analysed")
        camera = data_block(bpy.data.cameras, self._camera)
        scene = data_block(bpy.data.scenes, self._scene)
        if camera is None or scene is None:
            raise InputError("The camera is not in this file any more", "Import the video again.")
        self.keyed = import_performance(scene, camera, self._places.take, self._options)
        if self._with_sound:
            add_sound(scene, self.video, round(self.keyed.first))
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


slot = JobSlot[FootageJob](
    busy=("Another video is being analysed", "Wait for it, or cancel it."),
    idle="No video is being analysed",
    stopped="The import was cancelled",
    other_file="Another file was opened",
    redraw=redraw_status_bars,
)


def start(
    context: bpy.types.Context,
    camera: bpy.types.Camera,
    video: Path,
    options: ImportOptions,
    with_sound: bool = True,
) -> FootageJob:
    """Begin; a timer moves it on where there is a user interface.

    Args:
        with_sound: put the video's sound into the sequencer as well.

    Raises:
        InputError: another video is being analysed, or this one is not there.
    """
    if not video.is_file():
        raise InputError(f"There is no file {str(video)!r}", "Choose the video again.")
    return slot.start(lambda: FootageJob(context.scene, camera, video, options, with_sound))
