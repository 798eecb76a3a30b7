# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, stop, connect to and check the worker."""

from __future__ import annotations

import bpy

from ..link import check as worker_check
from ..link import paired
from ..link.link import link
from .base import PhotorigOperator, choose_file


def _run_worker(operator: bpy.types.Operator) -> set[str]:
    """Start the worker anew and say what it does; without a window wait until it is ready."""
    link.restart()
    if bpy.app.background:
        link.wait_until_ready(lambda: False)
    operator.report({"INFO"}, link.message)
    return {"FINISHED"}


def _needs_connection(operator: type[bpy.types.Operator]) -> bool:
    """Poll rule: there is a worker to stop."""
    if not (link.is_ready or link.is_starting):
        operator.poll_message_set("No worker is connected")
        return False
    return True


class PHOTORIG_OT_start_worker(PhotorigOperator, bpy.types.Operator):
    """Start the worker, or connect to it where the preferences say that it runs elsewhere"""

    bl_idname = "photorig.start_worker"
    bl_label = "Start Worker"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if link.is_ready or link.is_starting:
            cls.poll_message_set("The worker runs already")
            return False
        return True

    def run(self, context: bpy.types.Context) -> set[str]:
        return _run_worker(self)


class PHOTORIG_OT_stop_worker(PhotorigOperator, bpy.types.Operator):
    """Stop the worker, or leave it if it was started elsewhere. Finished frames are kept"""

    bl_idname = "photorig.stop_worker"
    bl_label = "Stop Worker"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _needs_connection(cls)

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
    host: bpy.props.StringProperty(
        name="Address",
        description="Name or address of the worker's computer; empty for the one in the file",
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if link.is_ready or link.is_starting:
            cls.poll_message_set("Stop the worker that is connected first")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return choose_file(self, context)

    def run(self, context: bpy.types.Context) -> set[str]:
        link.connect(self.filepath, self.host)
        self.report({"INFO"}, link.message)
        return {"FINISHED"}


class PHOTORIG_OT_pair_worker(PhotorigOperator, bpy.types.Operator):
    """Get to know a worker on another computer by the code that 'photorig pair' shows there"""

    bl_idname = "photorig.pair_worker"
    bl_label = "Pair with Worker"

    address: bpy.props.StringProperty(
        name="Address",
        description="Name or address of the worker's computer, with :port where it is not 45000",
        options={"SKIP_SAVE"},
    )
    code: bpy.props.StringProperty(
        name="Code",
        description="Four groups of five letters; it is good once",
        options={"SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_props_dialog(self)

    def run(self, context: bpy.types.Context) -> set[str]:
        print_of_it = paired.pair_with(self.address, self.code)
        self.code = ""
        self.report({"INFO"}, f"Paired. The worker's fingerprint is {print_of_it}")
        return {"FINISHED"}


class PHOTORIG_OT_restart_worker(PhotorigOperator, bpy.types.Operator):
    """Stop the worker and start it again. Finished frames are kept"""

    bl_idname = "photorig.restart_worker"
    bl_label = "Restart Worker"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return _needs_connection(cls)

    def run(self, context: bpy.types.Context) -> set[str]:
        return _run_worker(self)


class PHOTORIG_OT_check_worker(PhotorigOperator, bpy.types.Operator):
    """Run 'photorig doctor': what this computer has, and whether the worker can use it"""

    bl_idname = "photorig.check_worker"
    bl_label = "Check Environment"

    with_speed: bpy.props.BoolProperty(
        name="Measure Speed",
        description="Render some frames, too; takes longer",
        default=False,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if worker_check.check.state == worker_check.RUNNING:
            cls.poll_message_set("The check is running")
            return False
        return True

    def run(self, context: bpy.types.Context) -> set[str]:
        worker_check.start(self.with_speed)
        if bpy.app.background:
            worker_check.wait(lambda: False)
            self.report({"INFO"}, worker_check.check.summary)
        return {"FINISHED"}


class PHOTORIG_OT_copy_report(PhotorigOperator, bpy.types.Operator):
    """Copy versions, the worker's state, the check and the end of the log, for a bug report"""

    bl_idname = "photorig.copy_report"
    bl_label = "Copy Report"

    def run(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = worker_check.support_report()
        self.report({"INFO"}, "The report is in the clipboard")
        return {"FINISHED"}


class PHOTORIG_OT_copy_setup(PhotorigOperator, bpy.types.Operator):
    """Copy the lines that make the worker's environment"""

    bl_idname = "photorig.copy_setup"
    bl_label = "Copy Lines"

    def run(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = "\n".join(worker_check.SETUP_LINES)
        self.report({"INFO"}, "The lines are in the clipboard")
        return {"FINISHED"}


class PHOTORIG_OT_open_worker_log(PhotorigOperator, bpy.types.Operator):
    """Open the worker's whole log in the program for text files"""

    bl_idname = "photorig.open_worker_log"
    bl_label = "Open Worker Log"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not link.log_tail():
            cls.poll_message_set("No worker was started from here, or it wrote no log")
            return False
        return True

    def run(self, context: bpy.types.Context) -> set[str]:
        if link.process is not None:
            bpy.ops.wm.path_open(filepath=str(link.process.log_file))
        return {"FINISHED"}


CLASSES: tuple[type, ...] = (
    PHOTORIG_OT_start_worker,
    PHOTORIG_OT_stop_worker,
    PHOTORIG_OT_restart_worker,
    PHOTORIG_OT_connect_worker,
    PHOTORIG_OT_pair_worker,
    PHOTORIG_OT_check_worker,
    PHOTORIG_OT_copy_report,
    PHOTORIG_OT_copy_setup,
    PHOTORIG_OT_open_worker_log,
)
