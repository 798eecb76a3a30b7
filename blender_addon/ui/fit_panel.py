# SPDX-License-Identifier: GPL-3.0-or-later
"""What panels show of a photo that is being made a portrait."""

from __future__ import annotations

import bpy

from ..portrait import fit as fit_jobs
from ..portrait.thumbnails import picture_icon
from ..shared.wire.messages import FitFaces
from .draw import draw_progress, draw_sentence

_FACE_SCALE = 3.5
_PHOTO_SCALE = 6.0
_FACES_IN_A_ROW = 3


def draw_fit(layout: bpy.types.UILayout, camera: bpy.types.Camera) -> bool:
    """The fit of this camera, if there is one; returns whether it still runs."""
    fit = fit_jobs.fit_of(camera)
    if fit is None:
        return False
    if fit.is_done:
        _draw_end(layout, fit)
        return False
    if fit.faces is not None:
        _draw_faces(layout, fit, fit.faces)
        return True
    _draw_photo(layout, fit)
    draw_progress(layout, fit, "photorig.cancel_fit")
    return True


def _draw_photo(layout: bpy.types.UILayout, fit: fit_jobs.PhotoFit) -> None:
    """What is being worked on, for who waits a minute."""
    if fit.thumbnail is not None:
        layout.template_icon(picture_icon(fit.thumbnail), scale=_PHOTO_SCALE)
    layout.label(text=fit.photos[0].name, translate=False)


def _draw_end(layout: bpy.types.UILayout, fit: fit_jobs.PhotoFit) -> None:
    box = layout.box()
    row = box.row()
    draw_sentence(row.column(), fit.summary, "ERROR" if fit.error else "CHECKMARK")
    row.operator("photorig.dismiss_fit", text="", icon="X", emboss=False)
    if fit.error:
        again = box.operator("photorig.fit_photo", text="Try Again...", icon="FILE_REFRESH")
        again.directory = str(fit.photos[0].parent)


def _draw_faces(layout: bpy.types.UILayout, fit: fit_jobs.PhotoFit, found: FitFaces) -> None:
    box = layout.box()
    draw_sentence(box, fit.summary, "COMMUNITY")
    grid = box.grid_flow(row_major=True, columns=_FACES_IN_A_ROW, even_columns=True)
    for number, face in enumerate(found.faces, start=1):
        column = grid.column(align=True)
        column.template_icon(picture_icon(face.thumbnail), scale=_FACE_SCALE)
        if face.problem:
            draw_sentence(column, face.problem, "NONE")
        else:
            column.operator("photorig.choose_face", text=f"Face {number}").face = number
    box.operator("photorig.cancel_fit", icon="X")
