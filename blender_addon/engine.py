# SPDX-License-Identifier: GPL-3.0-or-later
"""The render engine: F12, Ctrl-F12 and ``blender -b -a`` get their frames from the worker."""

from __future__ import annotations

import logging
import re

import bpy
import numpy as np

from . import render_settings
from .client import WorkerClient
from .colour import render_pixels
from .frame_request import frame_request, portrait_of, scene_camera
from .preview import rendered_view
from .shared.errors import Cancelled, PhotorigError
from .shared.messages import FrameReply
from .worker_link import link

ENGINE = "PHOTORIG"
_log = logging.getLogger(__name__)


class PhotorigRenderEngine(bpy.types.RenderEngine):
    """Short-lived: Blender makes one for each frame, so it keeps nothing.

    Blender calls ``render`` on a thread of its own when a person presses F12; the worker is then
    reached through a socket that belongs to this call alone.
    """

    bl_idname = ENGINE
    bl_label = "Photorig"
    bl_use_preview = False
    bl_use_postprocess = True
    bl_use_eevee_viewport = True
    bl_use_gpu_context = False

    def update_render_passes(
        self,
        scene: bpy.types.Scene | None = None,
        renderlayer: bpy.types.ViewLayer | None = None,
    ) -> None:
        self.register_pass(scene, renderlayer, "Combined", 4, "RGBA", "COLOR")

    def render(self, depsgraph: bpy.types.Depsgraph) -> None:
        """Render one frame; every failure ends in a report.

        A report of an error is the only ending after which Blender writes no black frame.
        """
        try:
            reply = self._request(depsgraph)
            self._show(depsgraph, reply)
        except Cancelled as error:
            if not self.test_break():
                self.report({"ERROR"}, str(error))
        except PhotorigError as error:
            self.report({"ERROR"}, str(error))
        except Exception as error:
            _log.exception("render failed")
            self.report({"ERROR"}, f"Photorig failed unexpectedly ({error}). See the console.")

    def view_update(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        rendered_view.update(context.scene, depsgraph)

    def view_draw(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        rendered_view.draw(context)

    def _request(self, depsgraph: bpy.types.Depsgraph) -> FrameReply:
        scene = depsgraph.scene_eval
        problem = render_settings.colour_problem(scene)
        if problem:
            self.report({"WARNING"}, problem)
        camera = (self.camera_override or scene_camera(scene)).evaluated_get(depsgraph)
        request = frame_request(camera.data, scene.frame_current)
        portrait = portrait_of(camera.data)
        self.update_stats("", "Photorig: waiting for the worker")
        client = WorkerClient(link.wait_until_ready(self.test_break))
        client.remember_portrait(portrait.content)
        self.update_stats("", f"Photorig: {portrait.name}")
        reply = client.request_frame(request, codec="raw", should_cancel=self.test_break)
        self.update_progress(1.0)
        return reply

    def _show(self, depsgraph: bpy.types.Depsgraph, reply: FrameReply) -> None:
        render = depsgraph.scene_eval.render
        scale = render.resolution_percentage / 100
        width, height = int(render.resolution_x * scale), int(render.resolution_y * scale)
        pixels = render_pixels(reply.pixels(), width, height)
        if render.use_border:
            pixels = _inside_border(pixels, render)
        rows, columns = pixels.shape[:2]
        result = self.begin_result(0, 0, columns, rows, layer=depsgraph.view_layer_eval.name)
        combined = result.layers[0].passes["Combined"]
        combined.rect.foreach_set(np.ascontiguousarray(pixels).ravel())
        self.end_result(result)
        # Written into files of every format that has text fields.
        self.get_result().stamp_data_add_field("DigitalSourceType", render_settings.SOURCE_TYPE)


def _inside_border(pixels: np.ndarray, render: bpy.types.RenderSettings) -> np.ndarray:
    """The render region of a whole frame, (height, width, 4) with rows from the bottom."""
    rows, columns = pixels.shape[:2]
    left, right = int(render.border_min_x * columns), int(render.border_max_x * columns)
    bottom, top = int(render.border_min_y * rows), int(render.border_max_y * rows)
    return pixels[bottom:top, left:right]


_UNUSED_PANELS = re.compile(
    r"(RENDER|VIEWLAYER|MATERIAL)_PT_(freestyle|gpencil|grease_pencil|filter|layer_passes)"
)


def _panels_of_every_engine() -> list[type[bpy.types.Panel]]:
    """Blender's panels that any engine can use: dimensions, output, colour, stamp, shape keys..."""
    return [
        panel
        for panel in bpy.types.Panel.__subclasses__()
        if "BLENDER_RENDER" in getattr(panel, "COMPAT_ENGINES", ())
        and not _UNUSED_PANELS.match(panel.__name__)
    ]


def register() -> None:
    bpy.utils.register_class(PhotorigRenderEngine)
    for panel in _panels_of_every_engine():
        panel.COMPAT_ENGINES.add(ENGINE)


def unregister() -> None:
    for panel in _panels_of_every_engine():
        panel.COMPAT_ENGINES.discard(ENGINE)
    bpy.utils.unregister_class(PhotorigRenderEngine)
