# SPDX-License-Identifier: GPL-3.0-or-later
"""Submit to Farm: the shot as a job's folder, with all that nodes need and nothing that moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..camera.portrait_file import PortraitFile
from ..extension import ENGINE
from ..link.link import link
from ..mapping.frame_request import frame_requests
from ..mapping.performance import frame_rate, performance_lines
from ..shared.errors import InputError
from ..shared.farm.frames import parse_frames
from ..shared.farm.job import (
    BLEND_NAME,
    BLENDER,
    PORTRAITS,
    WORKER,
    Face,
    FarmJob,
    performance_name,
    portrait_name,
)
from ..shared.farm.preflight import Expected
from ..shared.farm.write import write_for
from ..shared.files.writing import explained, write_atomically
from ..shared.parameters.file import Recording, write
from ..shared.wire.messages import FrameRequest
from .chunk import check_renderable
from .facts import facts_of, shown_portraits


@dataclass(frozen=True)
class Submission:
    """What the dialog asks for.

    Attributes:
        farm: one of shared.farm.write.FARMS.
        nodes: one of shared.farm.job.KINDS.
        folder: of the job, absolute.
        frames: "1-240", or "" for the scene's range.
        chunk_size: frames that a node takes at once.
        output: where frames go; "" for a folder in the job's.
        needs_gpu, allow_mixed_devices: as of FarmJob and Expected.
    """

    farm: str
    nodes: str
    folder: Path
    frames: str
    chunk_size: int
    output: str
    needs_gpu: bool
    allow_mixed_devices: bool


def submit(context: bpy.types.Context, asked: Submission) -> Path:
    """Write the job. Returns the file that the farm is given.

    Raises:
        InputError: the shot cannot be rendered, or the folder cannot be written.
        ConnectionLost: there is no worker to compare nodes with.
    """
    scene = context.scene
    if scene.render.engine != ENGINE:
        raise InputError("The render engine is another one", "Choose Photorig as render engine.")
    frames = tuple(parse_frames(asked.frames) if asked.frames else scene_frames(scene))
    if asked.nodes == BLENDER:
        check_renderable(scene, frames)
    link.wait_until_ready(lambda: False)
    requests, portraits = frame_requests(context, scene, frames)
    with explained(asked.folder / PORTRAITS):
        (asked.folder / PORTRAITS).mkdir(parents=True, exist_ok=True)
    faces: tuple[Face, ...] = ()
    if asked.nodes == WORKER:
        faces = _write_performances(scene, asked.folder, requests, portraits)
    else:
        portraits = shown_portraits(scene)
    for portrait in portraits.values():
        write_atomically(asked.folder / portrait_name(portrait.id), portrait.content)
    first = requests[0]
    job = FarmJob(
        name=Path(bpy.data.filepath).stem or scene.name,
        kind=asked.nodes,
        frames=frames,
        chunk_size=asked.chunk_size,
        output=asked.output,
        needs_gpu=asked.needs_gpu,
        folder=str(asked.folder),
        faces=faces,
        mode=first.mode,
        size=str(first.size),
        method=first.method,
    )
    files = _save_copy(scene, asked.folder) if asked.nodes == BLENDER else []
    expected = Expected(facts_of(scene, portraits.values()), asked.allow_mixed_devices)
    return write_for(asked.farm, asked.folder, job, expected, files)


def scene_frames(scene: bpy.types.Scene) -> range:
    return range(scene.frame_start, scene.frame_end + 1, scene.frame_step)


def _save_copy(scene: bpy.types.Scene, folder: Path) -> list[str]:
    """The shot as it is now, so that work on it goes on. Returns other files that it needs."""
    path = folder / BLEND_NAME
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, relative_remap=True)
    except RuntimeError as error:
        raise InputError(f"Cannot save {str(path)!r}: {str(error).strip()}") from error
    return [each for each in bpy.utils.blend_paths(absolute=True, packed=False) if each]


def _write_performances(
    scene: bpy.types.Scene,
    folder: Path,
    requests: Sequence[FrameRequest],
    portraits: Mapping[str, PortraitFile],
) -> tuple[Face, ...]:
    """A performance for each face; what they have to have in common is checked.

    Raises:
        InputError: the frames cannot be said in one file a face.
    """
    ways = {
        tuple((face.portrait, face.method, face.mode) for face in (request, *request.others))
        + (request.size,)
        for request in requests
    }
    if len(ways) > 1:
        raise InputError(
            "The frames show several portraits, sizes, methods or modes",
            "Submit the shots one by one, or for nodes with Blender.",
        )
    rate = frame_rate(scene)
    faces = []
    for number in range(len(requests[0].portraits)):
        of_face = [_face(request, number) for request in requests]
        portrait = portraits[of_face[0].portrait]
        name = performance_name(number + 1)
        lines = performance_lines(of_face, portrait.named_parameters, rate)
        write(folder / name, lines, Recording(rate))
        faces.append(Face(portrait_name(portrait.id), name))
    return tuple(faces)


def _face(request: FrameRequest, number: int) -> FrameRequest:
    return request if number == 0 else request.others[number - 1]
