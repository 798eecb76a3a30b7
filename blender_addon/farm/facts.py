# SPDX-License-Identifier: GPL-3.0-or-later
"""What this Blender and its worker are, as far as it shows in frames."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import bpy

from ..camera.portrait_file import PortraitFile
from ..extension import VERSION
from ..link.link import link
from ..mapping.frame_request import portraits_of, scene_camera
from ..shared.errors import ConnectionLost
from ..shared.farm.preflight import NodeFacts, weights_of
from ..shared.files.reading import read_file

_COLOUR_CONFIGURATION = "OCIO"
"""A variable of the environment that names one, which then replaces Blender's own."""
_MAXIMUM_BYTES = 16 << 20


def facts_of(scene: bpy.types.Scene, portraits: Iterable[PortraitFile]) -> NodeFacts:
    """What frames of the scene depend on here.

    Raises:
        ConnectionLost: there is no worker to ask.
    """
    welcome = link.welcome
    if welcome is None:
        raise ConnectionLost(link.message.rstrip("."))
    return NodeFacts(
        extension=VERSION,
        worker=welcome.worker,
        generator=weights_of(welcome.model_id),
        bundle=link.bundle_id,
        device=welcome.device,
        backend=welcome.backend,
        portraits={portrait.id: portrait.name for portrait in portraits},
        colours=colours_of(scene),
    )


def colours_of(scene: bpy.types.Scene) -> dict[str, str]:
    """How the scene's colours become a file's, by what Blender calls the settings."""
    view = scene.view_settings
    found = {
        "display": scene.display_settings.display_device,
        "view_transform": view.view_transform,
        "look": view.look,
        "exposure": f"{view.exposure:g}",
        "gamma": f"{view.gamma:g}",
        "curve_mapping": str(view.use_curve_mapping),
        "dither": f"{scene.render.dither_intensity:g}",
        "colour_configuration": _configuration(),
    }
    return {name: "" if value == "None" else value for name, value in found.items()}


def _configuration() -> str:
    """SHA-256 (hex) of the colour configuration that replaces Blender's; "" without."""
    named = os.environ.get(_COLOUR_CONFIGURATION, "")
    if not named:
        return ""
    try:
        return hashlib.sha256(read_file(Path(named), _MAXIMUM_BYTES)).hexdigest()[:12]
    except OSError:
        return "one that cannot be read"


def shown_portraits(scene: bpy.types.Scene) -> dict[str, PortraitFile]:
    """Portraits of all cameras that the scene's frames may show, by id.

    Raises:
        InputError: there is no camera, or a file is gone or another one.
    """
    cameras = {scene_camera(scene), *(marker.camera for marker in scene.timeline_markers)}
    found: dict[str, PortraitFile] = {}
    for camera in cameras:
        if camera is not None and camera.type == "CAMERA" and camera.data.photorig.portrait_id:
            found.update(portraits_of(camera.data))
    return found
