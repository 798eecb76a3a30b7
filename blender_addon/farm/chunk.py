# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's part of a job: compared with the submitter's computer, then frame by frame, so that what
is finished stays finished whatever ends the node."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..extension import ENGINE
from ..link.link import FAILED, link
from ..mapping.frame_request import for_each_frame, frame_request
from ..shared.errors import InputError, PhotorigError
from ..shared.farm.job import FOLDER_VARIABLE, FarmJob
from ..shared.farm.path_mapping import SUBMITTED_VARIABLE
from ..shared.farm.preflight import EXPECTED_NAME, Expected, NodeFacts, compare, weights_of
from ..shared.farm.progress import FarmProgress
from .facts import facts_of, shown_portraits
from .finished import FrameKeys, is_finished, mark_finished
from .paths import map_paths


@dataclass(frozen=True)
class Rendered:
    """How many frames were made, and how many were there already."""

    made: int
    found: int


def preflight(scene: bpy.types.Scene, job: Path, progress: FarmProgress) -> NodeFacts:
    """Compare this node with what the job was submitted with, before its first frame.

    Args:
        job: the job's folder, which portraits are looked for in from now on.

    Raises:
        InputError: the node differs, in one sentence; or the job cannot be read.
        ConnectionLost: there is no worker.
    """
    expected = Expected.load(job / EXPECTED_NAME)
    submitted = FarmJob.load(job).folder
    os.environ[FOLDER_VARIABLE], os.environ[SUBMITTED_VARIABLE] = str(job), submitted
    map_paths(submitted)
    link.wait_until_ready(lambda: False)
    facts = facts_of(scene, shown_portraits(scene).values())
    verdict = compare(expected, facts)
    verdict.raise_if_refused()
    for note in verdict.notes:
        progress.status(note)
    return facts


def render_chunk(
    context: bpy.types.Context,
    job: Path,
    frames: list[int],
    output: Path,
    progress: FarmProgress,
) -> Rendered:
    """Render what is missing of these frames into ``frame_0001`` and so on.

    Raises:
        PhotorigError: as ``preflight``; or a frame cannot be made, and no later one is.
    """
    scene = context.scene
    check_renderable(scene, frames)
    preflight(scene, job, progress)
    render = scene.render
    render.filepath = str(output / "frame_####")
    render.use_file_extension, render.use_overwrite, render.use_placeholder = True, True, False
    keys = _keys(context, scene, frames)
    made = 0
    for number, frame in enumerate(frames, 1):
        path = Path(bpy.path.abspath(render.frame_path(frame=frame)))
        if not is_finished(path, keys[frame]):
            _render_frame(scene, frame)
            made += 1
            _finish(scene, frame, path, keys[frame])
        progress.frame(frame, number, len(frames))
    return Rendered(made, len(frames) - made)


def _finish(scene: bpy.types.Scene, frame: int, path: Path, key: str) -> None:
    """Mark what was written. Raises PhotorigError: nothing was."""
    if path.is_file():
        mark_finished(path, key)
    elif not scene.render.use_multiview:  # whose files are named by their views
        raise PhotorigError(f"Frame {frame}: Blender wrote no file {str(path)!r}", "See its log.")


def check_renderable(scene: bpy.types.Scene, frames: Sequence[int]) -> None:
    """Raises InputError: the scene writes a film, which no two nodes can share, or a frame is one
    that no animation of Blender's renders."""
    if min(frames) < 0:
        raise InputError("Blender renders no frame before 0", "Give frames from 0 on.")
    if scene.render.is_movie_format:
        raise InputError(
            "The scene writes a film, which nodes of a farm cannot share",
            "Choose PNG or OpenEXR as file format.",
        )


def _keys(context: bpy.types.Context, scene: bpy.types.Scene, frames: list[int]) -> dict[int, str]:
    shows_face = scene.render.engine == ENGINE
    keys = FrameKeys(scene, weights_of(link.in_use()[1]) if shows_face else "")
    found: dict[int, str] = {}

    def take(frame: int, camera: bpy.types.Camera) -> None:
        found[frame] = keys.key(camera, frame_request(camera, frame) if shows_face else None)

    for_each_frame(context, scene, frames, take)
    return found


def _render_frame(scene: bpy.types.Scene, frame: int) -> None:
    """As Render Animation does. Raises PhotorigError."""
    scene.frame_start = scene.frame_end = frame
    scene.frame_step = 1
    try:
        bpy.ops.render.render(animation=True)
    except RuntimeError as error:
        if not _has_lost_worker():
            raise PhotorigError(f"Frame {frame}: {_sentence(error)}") from error
        link.restart()  # the session's worker was lost; this Blender starts one of its own
        _render_again(frame)


def _render_again(frame: int) -> None:
    try:
        bpy.ops.render.render(animation=True)
    except RuntimeError as error:
        raise PhotorigError(f"Frame {frame}: {_sentence(error)}") from error


def _has_lost_worker() -> bool:
    link.poll()
    return link.state == FAILED or (link.connection is not None and link.connection.is_stale)


def _sentence(error: RuntimeError) -> str:
    return " ".join(str(error).split()).removeprefix("Error: ").rstrip(".")
