# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a portrait of a photo, choose between its faces, stop."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..camera.portrait_file import SUFFIX, resolve
from ..link import jobs
from ..link.link import link, redraw_panels
from ..portrait import fit as fit_jobs
from ..shared.errors import InputError
from .base import (
    CancelsJob,
    PhotorigOperator,
    camera_data_in_context,
    choose_file,
    needs_camera,
    over_photorig,
)
from .portrait import PHOTORIG_OT_load_portrait

DISPLAY_TYPES = (
    ("DEFAULT", "Default", "", 0),
    ("LIST_VERTICAL", "Vertical List", "", 1),
    ("LIST_HORIZONTAL", "Horizontal List", "", 2),
    ("THUMBNAIL", "Thumbnails", "", 3),
)
"""As Blender's own operators name them; its file browser looks for a property of that name."""


class PHOTORIG_OT_fit_photo(PhotorigOperator, bpy.types.Operator):
    """Make this camera's portrait of a photo of a person, about a minute; Blender stays usable.

    Further photos of the same person, chosen with it, make the portrait more like them
    """

    bl_idname = "photorig.fit_photo"
    bl_label = "Fit Photo"
    bl_options = {"REGISTER"}

    filepath: bpy.props.StringProperty(name="Photo", subtype="FILE_PATH", options={"SKIP_SAVE"})
    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    files: bpy.props.CollectionProperty(
        type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"}
    )
    face: bpy.props.IntProperty(
        name="Face",
        description="Which face, the largest is 1; 0 to be asked where there are several",
        default=0,
        min=0,
        options={"SKIP_SAVE"},
    )
    quick: bpy.props.BoolProperty(
        name="Quick Likeness",
        description="A likeness in seconds, to see whether the photo will do",
        default=False,
        options={"SKIP_SAVE"},
    )
    filter_image: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})
    display_type: bpy.props.EnumProperty(
        items=DISPLAY_TYPES, default="THUMBNAIL", options={"HIDDEN"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not needs_camera(cls, context):
            return False
        if fit_jobs.slot.is_running:
            cls.poll_message_set("A photo is being fitted. Wait for it, or cancel it")
            return False
        if link.welcome is not None and not link.welcome.fit_photos:
            cls.poll_message_set("This worker makes no portraits. Update it")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.filepath or self.files:  # dropped, or asked for again
            return self.execute(context)
        self.display_type = "THUMBNAIL"
        return choose_file(self, context, self.directory)

    def run(self, context: bpy.types.Context) -> set[str]:
        face = self.face - 1 if self.face else None
        camera = camera_data_in_context(context)
        fit = fit_jobs.start(self._photos(), camera, face, self.quick)
        if bpy.app.background:
            jobs.run_to_end(fit, lambda sentence: self.report({"INFO"}, sentence))
            self.report({"INFO"}, fit.summary)
        return {"FINISHED"}

    def _photos(self) -> list[Path]:
        folder = resolve(self.directory) if self.directory else Path()
        chosen = [folder / entry.name for entry in self.files if entry.name]
        if not chosen and self.filepath:
            chosen = [resolve(self.filepath)]
        if not chosen:
            raise InputError("No photo was chosen", "Choose one of a person's face.")
        return chosen


class PHOTORIG_OT_choose_face(PhotorigOperator, bpy.types.Operator):
    """Make the portrait of this face"""

    bl_idname = "photorig.choose_face"
    bl_label = "This Face"
    bl_options = {"INTERNAL"}

    face: bpy.props.IntProperty(name="Face", description="Counted from 1", min=1, default=1)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        fit = fit_jobs.slot.current
        if fit is None or fit.faces is None:
            cls.poll_message_set("There is no choice between faces")
            return False
        return True

    def run(self, context: bpy.types.Context) -> set[str]:
        if fit_jobs.slot.current is not None:
            fit_jobs.slot.current.choose(self.face - 1)
        redraw_panels()
        return {"FINISHED"}


class PHOTORIG_OT_cancel_fit(CancelsJob, bpy.types.Operator):
    """Stop making the portrait. The photo and the portrait before it stay as they are"""

    bl_idname = "photorig.cancel_fit"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}
    slot = fit_jobs.slot
    is_worth_telling = False


class PHOTORIG_OT_dismiss_fit(PhotorigOperator, bpy.types.Operator):
    """Hide this line"""

    bl_idname = "photorig.dismiss_fit"
    bl_label = "Dismiss"
    bl_options = {"INTERNAL"}

    def run(self, context: bpy.types.Context) -> set[str]:
        fit_jobs.slot.forget()
        redraw_panels()
        return {"FINISHED"}


class PHOTORIG_FH_photo(bpy.types.FileHandler):
    """A photo dropped onto the properties, the sidebar, or a 3D view that shows Photorig's face."""

    bl_idname = "PHOTORIG_FH_photo"
    bl_label = "Photorig: Fit Photo"
    bl_import_operator = "photorig.fit_photo"
    bl_file_extensions = ";".join(fit_jobs.PHOTO_SUFFIXES)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return over_photorig(context) and PHOTORIG_OT_fit_photo.poll(context)


class PHOTORIG_FH_portrait(bpy.types.FileHandler):
    """A portrait file dropped anywhere in the 3D view or the properties."""

    bl_idname = "PHOTORIG_FH_portrait"
    bl_label = "Photorig: Load Portrait"
    bl_import_operator = "photorig.load_portrait"
    bl_file_extensions = SUFFIX

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        is_place = context.area is not None and context.area.type in ("VIEW_3D", "PROPERTIES")
        return is_place and PHOTORIG_OT_load_portrait.poll(context)


CLASSES: tuple[type, ...] = (
    PHOTORIG_OT_fit_photo,
    PHOTORIG_OT_choose_face,
    PHOTORIG_OT_cancel_fit,
    PHOTORIG_OT_dismiss_fit,
    PHOTORIG_FH_photo,
    PHOTORIG_FH_portrait,
)
