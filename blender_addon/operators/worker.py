# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, stop and connect to the worker."""

from __future__ import annotations

import bpy

from ..worker_link import link
from .base import PhotorigOperator


class PHOTORIG_OT_start_worker(PhotorigOperator, bpy.types.Operator):
    """Start the worker program on this computer. Blender stays usable while it loads its models"""

    bl_idname = "photorig.start_worker"
    bl_label = "Start Worker"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if link.is_ready or link.is_starting:
            cls.poll_message_set("The worker runs already")
            return False
        return True

    def run(self, context: bpy.types.Context) -> set[str]:
        link.start()
        if bpy.app.background:
            link.wait_until_ready(lambda: False)
        self.report({"INFO"}, link.message)
        return {"FINISHED"}


class PHOTORIG_OT_stop_worker(PhotorigOperator, bpy.types.Operator):
    """Stop the worker, or leave it if it was started elsewhere. Finished frames are kept"""

    bl_idname = "photorig.stop_worker"
    bl_label = "Stop Worker"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not (link.is_ready or link.is_starting):
            cls.poll_message_set("No worker is connected")
            return False
        return True

    def run(self, context: bpy.types.Context) -> set[str]:
        link.stop()
        return {"FINISHED"}


class PHOTORIG_OT_connect_worker(PhotorigOperator, bpy.types.Operator):
    """Connect to a worker that runs already, by the connection file it wrote"""

    bl_idname = "photorig.connect_worker"
    bl_label = "Connect to Worker"

    filepath: bpy.props.StringProperty(
        name="Connection File",
        description="Written by 'photorig serve --connection-file'",
        subtype="FILE_PATH",
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        link.connect(bpy.path.abspath(self.filepath))
        self.report({"INFO"}, link.message)
        return {"FINISHED"}


CLASSES = (PHOTORIG_OT_start_worker, PHOTORIG_OT_stop_worker, PHOTORIG_OT_connect_worker)
