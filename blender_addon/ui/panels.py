# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a person sees and sets things: camera data, the 3D view's sidebar, render properties."""

from __future__ import annotations

import bpy

from ..camera.choice import camera_in_context
from ..camera.control import Control, controls_of
from ..camera.extra_parameters import draw_slider, schema_of
from ..camera.other_faces import may_have_others
from ..camera.properties import GROUPS, gain_property, offered_methods, photo_parameters
from ..extension import ENGINE
from ..head import job as head_jobs
from ..head.board import armature_in_context, has_board, may_have_board
from ..link.link import link
from ..portrait.thumbnails import thumbnail_icon
from ..render.settings import colour_problem
from ..sequence import job as render_jobs
from ..sequence.files import told_folder
from ..shared.parameters.schema import FACE_SCHEMA
from ..translation import said
from .draw import draw_progress, draw_sentence, region_width
from .fit_panel import draw_fit
from .render_panel import draw_framing
from .render_status import draw_import
from .worker_panel import draw_worker_state

_WIDE = 240
"""In a narrower region buttons stand one below the other, and a slider's name leaves no room for
its range, which the button beside it tells."""
_RANGE_UNITS = 5.0
_THUMBNAIL_SCALE = 4.0
_NO_RIG = "Nothing moves this face yet: add a head, or select a rig and detect it"
_GROUP_LABELS = {
    "head": "Head",
    "eyes": "Eyes",
    "brows": "Brows",
    "jaw": "Jaw",
    "mouth": "Mouth",
    "other": "Cheeks, Nose, Tongue",
}


def draw_portrait(layout: bpy.types.UILayout, camera: bpy.types.Camera) -> None:
    """The portrait of a camera, where it comes from and how it is shown."""
    settings = camera.photorig
    is_fitting = draw_fit(layout, camera)
    if settings.portrait_path:
        layout.prop(settings, "portrait_path")
        if settings.portrait_problem:
            draw_sentence(layout, settings.portrait_problem, "ERROR")
        elif settings.portrait_name:
            _draw_face(layout, settings)
    draw_import(layout)
    if not is_fitting:
        row = layout.row(align=True)
        row.operator("photorig.fit_photo", text="Photo...", icon="IMAGE_DATA")
        row.operator("photorig.load_portrait", text="Portrait...", icon="USER")
    if settings.portrait_path:
        layout.prop(settings, "size")
        layout.prop(settings, "mode")
        _draw_method(layout, settings)
        row = layout.row()
        row.active = settings.mode == "RELATIVE"
        row.prop(settings, "photo_neutral", slider=True)
        if len(settings.others) or may_have_others(camera, bpy.context.scene):
            _draw_other_faces(layout, settings)


def _draw_other_faces(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """Whose faces of the same photo are driven in this picture, too."""
    row = layout.row()
    row.label(text="Further Faces")
    row.operator("photorig.add_other_face", text="", icon="ADD")
    for number, item in enumerate(settings.others):
        row = layout.row(align=True)
        row.prop(item, "camera", text="")
        row.operator("photorig.remove_other_face", text="", icon="X").number = number


def _draw_method(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """How the face is driven, and what the worker says about that."""
    layout.prop(settings, "method", icon="OPTIONS")
    if not offered_methods:
        return
    sentences = {offer.name: offer.sentence for offer in offered_methods}
    unknown = f"The worker has no method {settings.method!r}"
    is_known = settings.method in sentences
    sentence = sentences.get(settings.method, unknown)
    if settings.is_property_set("method") or not is_known:  # of the usual one the tooltip tells
        draw_sentence(layout, sentence, "NONE" if is_known else "ERROR")


def _draw_face(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """Who it is, and how the head is held in the photo."""
    row = layout.row()
    icon = thumbnail_icon(settings.portrait_id)
    if icon:
        row.template_icon(icon, scale=_THUMBNAIL_SCALE)
    column = row.column()
    column.label(text=settings.portrait_name, icon="NONE" if icon else "USER")
    photo = photo_parameters(settings)
    if photo is None:
        return
    for name in ("headYaw", "headPitch", "headRoll"):
        label = said(FACE_SCHEMA.parameters[FACE_SCHEMA.index[name]].label)
        angle = f"{label} {round(photo[name])}°".replace("-", "−")
        column.label(text=angle, translate=False)


def draw_parameters(layout: bpy.types.UILayout, camera: bpy.types.Camera, place: str) -> None:
    """All parameters by group; the groups start closed but for the head."""
    controls = controls_of(camera, link.responses, link.bundle_id)
    choices = bpy.context.window_manager.photorig
    layout.prop(camera.photorig, "mirror")
    buttons = layout.row(align=True) if region_width() >= _WIDE else layout.column(align=True)
    buttons.operator("photorig.key_face", icon="KEY_HLT")
    buttons.operator("photorig.reset_to_photo", icon="LOOP_BACK")
    if link.responses:
        column = layout.column()
        column.use_property_split = False  # the words need the whole width
        column.prop(choices, "only_controllable")
        column.prop(choices, "show_measurements")
    present = dict.fromkeys(control.parameter.group for control in controls.values())
    # In the order of a face; groups that only a newer worker knows come last.
    for group in (*_GROUP_LABELS, *(name for name in present if name not in _GROUP_LABELS)):
        shown = {
            name: control
            for name, control in controls.items()
            if control.parameter.group == group
            and not (choices.only_controllable and control.is_hopeless)
        }
        if shown:
            _draw_group(layout, camera, f"{place}_{group}", shown)


def _draw_group(
    layout: bpy.types.UILayout, camera: bpy.types.Camera, place: str, shown: dict[str, Control]
) -> None:
    group = next(iter(shown.values())).parameter.group
    header, body = layout.panel(f"PHOTORIG_{place}", default_closed=group != "head")
    is_beyond = any(control.is_beyond for control in shown.values())
    icon = "ERROR" if is_beyond else "NONE"
    header.label(text=_GROUP_LABELS.get(group, group.capitalize()), icon=icon)
    if body is None:
        return
    column = body.column(align=True)
    for name, control in shown.items():
        _draw_control(column, camera, name, control)
    if group in GROUPS:  # a newer worker may have groups of its own
        body.prop(camera.photorig, gain_property(group))


def _draw_control(
    column: bpy.types.UILayout, camera: bpy.types.Camera, name: str, control: Control
) -> None:
    """A slider, the trained range beside it, and a button whose tooltip says the rest."""
    row = column.row(align=True)
    row.use_property_split = False
    slider = row.row(align=True)
    # Greyed, not locked: keyframes of a recorded performance can still be taken away.
    slider.active = not control.is_hopeless
    slider.alert = control.is_beyond
    schema = schema_of(camera)
    draw_slider(slider, camera, schema.parameters[schema.index[name]])
    if control.response is None:
        return
    if region_width() >= _WIDE:
        beside = row.row(align=True)
        beside.active = False
        beside.ui_units_x = _RANGE_UNITS
        beside.label(text=control.range_text)
    icon = "CANCEL" if control.is_hopeless else "ERROR" if control.is_beyond else "INFO"
    explain = row.operator("photorig.explain_parameter", text="", icon=icon, emboss=False)
    explain.camera, explain.parameter = camera.name, name
    if bpy.context.window_manager.photorig.show_measurements and control.measurements:
        line = column.row()
        line.active = False
        line.label(text=control.measurements, icon="BLANK1")


def draw_sequence(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    """Render to Sequencer: the button and where frames go, or how far it is."""
    job = render_jobs.slot.current
    if job is not None and not job.is_done:
        draw_progress(layout, job, "photorig.cancel_render")
        return
    layout.operator("photorig.render_to_sequencer", icon="SEQ_STRIP_DUPLICATE")
    layout.operator("photorig.submit_to_farm", icon="NETWORK_DRIVE", text="Submit to Farm…")
    draw_sentence(layout, told_folder(scene), "FILE_FOLDER")
    if job is not None:
        draw_sentence(layout, job.summary, "ERROR" if job.error else "CHECKMARK")


class PHOTORIG_PT_camera(bpy.types.Panel):
    """Properties > Camera > Photorig."""

    bl_label = "Photorig"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "data"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return getattr(context, "camera", None) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = True
        draw_portrait(layout, context.camera)
        draw_parameters(layout, context.camera, "data")


class PHOTORIG_PT_sidebar(bpy.types.Panel):
    """The tab in the 3D view's sidebar: portrait, rig, render, worker in the order of the work."""

    bl_label = "Photorig"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Photorig"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        draw_worker_state(layout)
        layout.separator()
        camera = camera_in_context(context)
        if camera is not None:
            draw_camera(layout, context.scene, camera)
            draw_portrait(layout.column(), camera.data)
        else:
            draw_sentence(layout, "There is no camera to show a face: add one, or a head", "INFO")
        _draw_head_buttons(layout, armature_in_context(context))
        layout.operator("photorig.detect_rig", icon="VIEWZOOM")
        if camera is not None and _waits_for_rig(camera.data):
            draw_sentence(
                layout,
                "Nothing moves this face yet: add a head, or select a rig and detect it",
                "INFO",
            )
        layout.separator()
        draw_sequence(layout, context.scene)


def draw_camera(
    layout: bpy.types.UILayout, scene: bpy.types.Scene, camera: bpy.types.Object
) -> None:
    """Which camera everything below edits, and whether a render shows it."""
    layout.label(text=camera.name, icon="CAMERA_DATA", translate=False)
    if scene.camera is not None and scene.camera != camera:
        draw_sentence(layout, said("Renders show {camera}", camera=scene.camera.name), "INFO")


def _waits_for_rig(camera: bpy.types.Camera) -> bool:
    """Whether there is a face that neither a rig nor keyframes move."""
    animation = camera.animation_data
    is_keyed = animation is not None and (animation.action or len(animation.nla_tracks))
    return bool(camera.photorig.portrait_id) and not len(camera.photorig.mapping) and not is_keyed


def _draw_head_buttons(layout: bpy.types.UILayout, rig: bpy.types.Object | None) -> None:
    """A head to pose: of the portrait, or the built-in one; of a selected one its face controls."""
    job = head_jobs.slot.current
    if job is not None:
        icon = "ERROR" if job.error else "CHECKMARK" if job.is_done else "TIME"
        draw_sentence(layout, job.summary, icon)
    layout.operator("photorig.create_head", icon="USER")
    layout.operator("photorig.add_head", text="Add Photorig Head", icon="ADD")
    if rig is not None and has_board(rig):
        if rig.mode == "POSE":  # where the asset shelf has them
            layout.operator("photorig.add_pose_library", icon="ASSET_MANAGER")
    elif rig is not None and may_have_board(rig):
        layout.operator("photorig.add_board", icon="BONE_DATA")


class PHOTORIG_PT_sidebar_parameters(bpy.types.Panel):
    """The parameters beside the rig, to see what it drives."""

    bl_label = "Parameters"
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Photorig"
    bl_parent_id = "PHOTORIG_PT_sidebar"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return camera_in_context(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        camera = camera_in_context(context)
        if camera is not None:
            draw_parameters(layout, camera.data, "sidebar")


class PHOTORIG_PT_render(bpy.types.Panel):
    """Properties > Render for this engine: colours, size, worker."""

    bl_label = "Photorig"
    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"
    COMPAT_ENGINES = {ENGINE}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.engine in cls.COMPAT_ENGINES

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.prop(context.scene.photorig, "exact_colours")
        problem = colour_problem(context.scene)
        if problem:
            draw_sentence(layout, problem, "ERROR")
        draw_framing(layout, context.scene)
        draw_sequence(layout, context.scene)
        draw_worker_state(layout)


def _draw_in_add_menu(menu: bpy.types.Menu, _context: bpy.types.Context) -> None:
    menu.layout.operator("photorig.add_head", icon="USER")
    menu.layout.operator("photorig.create_head", icon="USER")


_CLASSES = (
    PHOTORIG_PT_camera,
    PHOTORIG_PT_sidebar,
    PHOTORIG_PT_sidebar_parameters,
    PHOTORIG_PT_render,
)


def register() -> None:
    for panel in _CLASSES:
        bpy.utils.register_class(panel)
    bpy.types.VIEW3D_MT_add.append(_draw_in_add_menu)


def unregister() -> None:
    bpy.types.VIEW3D_MT_add.remove(_draw_in_add_menu)
    for panel in reversed(_CLASSES):
        bpy.utils.unregister_class(panel)
