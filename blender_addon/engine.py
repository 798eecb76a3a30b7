# SPDX-License-Identifier: GPL-3.0-or-later
"""The render engine: F12, Ctrl-F12 and ``blender -b -a`` get their frames from the worker."""

from __future__ import annotations

import logging
import re
from dataclasses import replace

import bpy
import numpy as np

from .camera.passes import passes_of
from .client.client import WorkerClient
from .extension import ENGINE
from .link.link import link
from .mapping.frame_request import frame_request, portraits_of, scene_camera
from .preview import rendered_view
from .render import settings as render_settings
from .render.colour import matte_pixels, render_pixels
from .shared.errors import Cancelled, PhotorigError
from .shared.wire.messages import FrameReply, FrameRequest
from .shared.wire.picture_format import PictureFormat

_log = logging.getLogger(__name__)


class PhotorigRenderEngine(bpy.types.RenderEngine):
    """Short-lived: Blender makes one for each frame, so it keeps nothing beyond that.

    Blender calls ``render`` on a thread of its own when a person presses F12; the worker is then
    reached through a socket that belongs to this call alone.
    """

    bl_idname = ENGINE
    bl_label = "Photorig"
    bl_use_preview = False
    bl_use_postprocess = True
    bl_use_eevee_viewport = True
    bl_use_gpu_context = False

    _last: tuple[FrameRequest, FrameReply] | None = None
    """What this frame's view layers share."""

    def update_render_passes(
        self,
        scene: bpy.types.Scene | None = None,
        renderlayer: bpy.types.ViewLayer | None = None,
    ) -> None:
        self.register_pass(scene, renderlayer, "Combined", 4, "RGBA", "COLOR")
        for entry in passes_of(renderlayer) if renderlayer is not None else ():
            channels = entry.channels
            self.register_pass(scene, renderlayer, entry.name, len(channels), channels, entry.kind)

    def render(self, depsgraph: bpy.types.Depsgraph) -> None:
        """Render one frame; every failure ends in a report.

        A report of an error is the only ending after which Blender writes no black frame.
        """
        try:
            reply = self._request(depsgraph)
            self._show(depsgraph, reply)
        except Cancelled as error:
            if not self._is_stopped():
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

    def _is_stopped(self) -> bool:
        """Whether a person has pressed ESC; asked every few milliseconds while waiting."""
        return self.test_break()

    def _request(self, depsgraph: bpy.types.Depsgraph) -> FrameReply:
        scene, view_layer = depsgraph.scene_eval, depsgraph.view_layer_eval
        problem = render_settings.colour_problem(scene)
        if problem:
            self.report({"WARNING"}, problem)
        request = frame_request(self._camera_data(depsgraph), scene.frame_current)
        request = replace(request, passes=tuple(entry.on_wire for entry in passes_of(view_layer)))
        if self._last is not None and self._last[0] == request:
            return self._last[1]
        portraits = portraits_of(self._camera_data(depsgraph))
        names = ", ".join(portrait.name for portrait in portraits.values())
        self.update_stats("", "Photorig: waiting for the worker")
        client = WorkerClient(link.wait_until_ready(self._is_stopped))
        client.offer_portraits({each.id: each.content for each in portraits.values()})
        self.update_stats("", f"Photorig: {names}, {_size_text(request)}")
        cut_out = scene.render.film_transparent
        if (cut_out or request.passes) and not link.gives_passes:
            self.report({"WARNING"}, _NO_PASSES)
            cut_out, request = False, replace(request, passes=())
        form = PictureFormat("raw", 8, "RGBA", transparent=True) if cut_out else "raw"
        reply = client.request_frame(request, form, should_cancel=self._is_stopped)
        self.update_stats("", f"Photorig: {names}, {reply.milliseconds:.0f} ms")
        self.update_progress(1.0)
        self._last = request, reply
        return reply

    def _camera_data(self, depsgraph: bpy.types.Depsgraph) -> bpy.types.Camera:
        camera = self.camera_override or scene_camera(depsgraph.scene_eval)
        return camera.evaluated_get(depsgraph).data

    def _show(self, depsgraph: bpy.types.Depsgraph, reply: FrameReply) -> None:
        scene, view_layer = depsgraph.scene_eval, depsgraph.view_layer_eval
        canvas = render_settings.canvas_of(scene, self._camera_data(depsgraph))
        wanted = passes_of(view_layer)
        for entry in wanted:
            self.add_pass(entry.name, len(entry.channels), entry.channels, layer=view_layer.name)
        pixels = {"Combined": render_pixels(reply.pixels(), canvas)}
        given = {layer.name: layer.pixels for layer in reply.passes}
        for entry in wanted:
            if entry.on_wire in given:
                convert = render_pixels if entry.kind == "COLOR" else matte_pixels
                pixels[entry.name] = convert(given[entry.on_wire], canvas)
        if scene.render.use_border:
            pixels = {name: inside_border(part, scene.render) for name, part in pixels.items()}
        rows, columns = pixels["Combined"].shape[:2]
        result = self.begin_result(0, 0, columns, rows, layer=view_layer.name)
        for entry in result.layers[0].passes:
            if entry.name in pixels:
                entry.rect.foreach_set(np.ascontiguousarray(pixels[entry.name]).ravel())
        self.end_result(result)
        # Written into files of every format that has text fields.
        told = self.get_result()
        told.stamp_data_add_field("DigitalSourceType", render_settings.SOURCE_TYPE)
        if link.welcome is not None:
            told.stamp_data_add_field("PhotorigModelId", link.welcome.model_id)


_NO_PASSES = (
    "The worker is older than the extension and gives no passes and no transparency. Update it."
)


def _size_text(request: FrameRequest) -> str:
    return "full photo" if request.size == "full" else f"{request.size} pixels"


def inside_border(pixels: np.ndarray, render: bpy.types.RenderSettings) -> np.ndarray:
    """The render region of a whole frame, (height, width, c) with rows from the bottom."""
    rows, columns = pixels.shape[:2]
    # Blender multiplies in single precision and cuts off; a rounding elsewhere is a row too many.
    left, right = (_edge(edge, columns) for edge in (render.border_min_x, render.border_max_x))
    bottom, top = (_edge(edge, rows) for edge in (render.border_min_y, render.border_max_y))
    return pixels[bottom:top, left:right]


def _edge(fraction: float, length: int) -> int:
    return int(np.float32(fraction) * np.float32(length))


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
