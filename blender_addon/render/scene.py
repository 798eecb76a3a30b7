# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scene is given once, when Photorig becomes its render engine: the photo's own colours."""

from __future__ import annotations

import bpy
from bpy.app.handlers import persistent

from ..extension import ENGINE
from .settings import colour_problem, use_blenders_view, use_exact_view


def _is_exact(settings: PhotorigSceneSettings) -> bool:
    return not colour_problem(settings.id_data)


def _set_exact(settings: PhotorigSceneSettings, is_exact: bool) -> None:
    (use_exact_view if is_exact else use_blenders_view)(settings.id_data)


class PhotorigSceneSettings(bpy.types.PropertyGroup):
    """``scene.photorig``."""

    exact_colours: bpy.props.BoolProperty(
        name="Exact Colors",
        description="The Standard view transform without look, exposure, curves or dither: what is"
        " rendered has the photo's own colors. AgX and Filmic are made for light of any strength"
        " and would turn a photo pale",
        get=_is_exact,
        set=_set_exact,
        options=set(),
    )
    is_prepared: bpy.props.BoolProperty(
        name="Prepared",
        description="Whether the scene was given exact colors once; it then keeps what is chosen",
        options={"HIDDEN"},
    )


@persistent
def _prepare(scene: bpy.types.Scene, *_arguments: object) -> None:
    """Blender has evaluated something, as it does when the engine is chosen."""
    if scene.render.engine == ENGINE and not scene.photorig.is_prepared and scene.is_editable:
        scene.photorig.is_prepared = True
        use_exact_view(scene)


@persistent
def _keep_what_was_saved(*_arguments: object) -> None:
    """A file that was made with this engine keeps its colours."""
    for scene in bpy.data.scenes:
        if scene.render.engine == ENGINE and scene.is_editable:
            scene.photorig.is_prepared = True


def register() -> None:
    bpy.utils.register_class(PhotorigSceneSettings)
    bpy.types.Scene.photorig = bpy.props.PointerProperty(type=PhotorigSceneSettings)
    bpy.app.handlers.depsgraph_update_post.append(_prepare)
    bpy.app.handlers.load_post.append(_keep_what_was_saved)


def unregister() -> None:
    bpy.app.handlers.load_post.remove(_keep_what_was_saved)
    bpy.app.handlers.depsgraph_update_post.remove(_prepare)
    del bpy.types.Scene.photorig
    bpy.utils.unregister_class(PhotorigSceneSettings)
