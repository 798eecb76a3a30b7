# SPDX-License-Identifier: GPL-3.0-or-later
"""From evaluated camera data to a frame request: the one way, for F12, sequences and previews."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import bpy

from ..camera.extra_parameters import schema_of
from ..camera.other_faces import cameras_of_faces
from ..camera.portrait_file import PortraitFile, place_of, read_portrait
from ..camera.values import neutral_to_render, parameters_to_render
from ..shared.errors import InputError
from ..shared.parameters.schema import FACE_SCHEMA
from ..shared.wire.messages import FrameRequest
from .health import check_mapping


def frame_request(camera_data: bpy.types.Camera, frame: int) -> FrameRequest:
    """What the worker must render for this camera at this frame, its further faces included.

    Args:
        camera_data: evaluated, so that animation and drivers have been applied.
        frame: names the answer; it does not change the picture.

    Raises:
        InputError: the camera has no portrait, or rows of its mapping drive nothing.
    """
    first, *others = (_face_request(each, frame) for each in cameras_of_faces(camera_data))
    return replace(first, others=tuple(others)) if others else first


def _face_request(camera_data: bpy.types.Camera, frame: int) -> FrameRequest:
    """The same of one camera's own face."""
    settings = camera_data.photorig
    if not settings.portrait_id:
        raise InputError(
            f"The camera {camera_data.name!r} has no portrait",
            settings.portrait_problem or "Load one in Properties > Camera > Photorig.",
        )
    check_mapping(camera_data)
    schema, values = schema_of(camera_data), parameters_to_render(camera_data)
    return FrameRequest(
        portrait=settings.portrait_id,
        parameters=values[: len(FACE_SCHEMA)],
        size="full" if settings.size == "FULL" else int(settings.size),
        mode=settings.mode.lower(),
        method=settings.method,
        frame=frame,
        extra=dict(
            zip(schema.ids[len(FACE_SCHEMA) :], values[len(FACE_SCHEMA) :].tolist(), strict=True)
        ),
        neutral=neutral_to_render(settings),
    )


def portrait_of(camera_data: bpy.types.Camera) -> PortraitFile:
    """The portrait file of a camera, checked to be the one that was loaded.

    Raises:
        InputError: the file is gone, damaged, or has changed since it was loaded.
    """
    settings = camera_data.photorig
    portrait = read_portrait(place_of(settings.portrait_path, settings.portrait_id, camera_data))
    if portrait.id != settings.portrait_id:
        raise InputError(
            f"{str(portrait.path)!r} is not the portrait that the camera"
            f" {camera_data.name!r} was set up with",
            "Load the portrait again to use the new file.",
        )
    return portrait


def portraits_of(camera_data: bpy.types.Camera) -> dict[str, PortraitFile]:
    """The portrait files of a camera and its further faces, by id; errors as of ``portrait_of``."""
    files = (portrait_of(each) for each in cameras_of_faces(camera_data))
    return {portrait.id: portrait for portrait in files}


def scene_camera(scene: bpy.types.Scene) -> bpy.types.Object:
    """The scene's camera object. Raises InputError where there is none."""
    camera = scene.camera
    if camera is None or camera.type != "CAMERA":
        raise InputError(
            f"The scene {scene.name!r} has no camera", "Add a Photorig head or set a camera."
        )
    return camera


def for_each_frame(
    context: bpy.types.Context,
    scene: bpy.types.Scene,
    frames: Iterable[int],
    take: Callable[[int, bpy.types.Camera], None],
) -> None:
    """Go through the frames, and come back to the present one.

    Args:
        take: gets each frame and the evaluated data of the camera that shows it; what it raises
            ends the way.

    Raises:
        InputError: there is no camera.
    """
    present, subframe = scene.frame_current, scene.frame_subframe
    for camera in {scene_camera(scene), *(marker.camera for marker in scene.timeline_markers)}:
        if camera is not None and camera.type == "CAMERA":
            tag_sources(camera)
    try:
        for frame in frames:
            scene.frame_set(frame)
            depsgraph = context.evaluated_depsgraph_get()
            take(frame, scene_camera(scene).evaluated_get(depsgraph).data)
    finally:
        scene.frame_set(present, subframe=subframe)


def frame_requests(
    context: bpy.types.Context, scene: bpy.types.Scene, frames: Iterable[int]
) -> tuple[list[FrameRequest], dict[str, PortraitFile]]:
    """What each frame asks of the worker, and the portraits that they name, by id.

    Raises:
        InputError: as ``frame_request`` and ``portrait_of``.
    """
    requests: list[FrameRequest] = []
    portraits: dict[str, PortraitFile] = {}

    def take(frame: int, camera: bpy.types.Camera) -> None:
        requests.append(frame_request(camera, frame))
        if not set(requests[-1].portraits) <= portraits.keys():
            portraits.update(portraits_of(camera))

    for_each_frame(context, scene, frames, take)
    return requests, portraits


def tag_sources(camera: bpy.types.Object) -> None:
    """Have everything that drives a camera's parameters evaluated anew.

    A script may set a custom property without Blender noticing. A render evaluates all from the
    start and sees it; without this, the view layer's evaluation, which we read, would not.
    """
    waiting: list[bpy.types.ID] = [camera, camera.data]
    seen: set[bpy.types.ID] = set()
    while waiting:
        block = waiting.pop()
        if block in seen:
            continue
        seen.add(block)
        block.update_tag()
        if isinstance(block, bpy.types.Camera):
            waiting += [item.camera.data for item in block.photorig.others if item.camera]
        animation = getattr(block, "animation_data", None)
        for curve in animation.drivers if animation is not None else ():
            for variable in curve.driver.variables:
                waiting += [target.id for target in variable.targets if target.id is not None]
