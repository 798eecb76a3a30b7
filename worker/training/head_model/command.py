"""``photorig train head-shapes``: writes the data file of the extension's rigged head.

Its face and shape keys are the table of face shapes (``photorig train face-shapes``); all around
the face follows.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from photorig.shared.parameters.head import HEAD_PIVOT
from photorig.worker.faces.face_shapes import FaceShapes, load_face_shapes
from photorig.worker.faces.face_topology import EYE_RADIUS

from .head_builder import MATERIALS
from .head_mesh import HeadMesh, build_head_mesh

DATA_FILE = Path("blender_addon/data/photorig_head.npz")
METRES = 0.01
SMALLEST_MOVE = 5e-5
"""Metres; a vertex behind the face that a shape moves less stays where it is."""
JAW_SHAPES = ("jawForward", "jawLeft", "jawOpen", "jawRight", "tongueOut")
"""Shapes in which the bone of the lower jaw moves."""
_CHIN = (152, 175, 199, 200, 208, 428, 171, 396, 32, 262, 140, 369, 17, 14)
"""Vertices that tell where the bone goes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``photorig train head-shapes``."""
    parser.add_argument("--out", type=Path, default=DATA_FILE, help="file to write")


def run(args: argparse.Namespace) -> int:
    """Builds the head around the table's face, writes it and says what is in it."""
    from photorig.worker.faces.canonical import load_canonical_face

    shapes = load_face_shapes()
    canonical = load_canonical_face()
    mesh = build_head_mesh(
        shapes.face.astype(np.float64), canonical.vertices, canonical.uv, canonical.triangles
    )
    write_head(args.out, shapes, mesh)
    print(f"{args.out}: {len(shapes.names)} shape keys, {len(mesh.vertices)} vertices")
    return 0


def write_head(path: Path, shapes: FaceShapes, mesh: HeadMesh) -> None:
    """The head in Blender's axes and metres: plain arrays for blender_addon/head/build.py.

    Shape offsets are kept at half precision: a step of 2e-5 m at the strongest key.
    """
    offsets = blender_axes(np.stack([key_offsets(shapes, mesh, name) for name in shapes.names]))
    small = np.linalg.norm(offsets, axis=-1) < SMALLEST_MOVE
    small[:, : len(shapes.face)] = False
    offsets[small] = 0.0
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        vertices=blender_axes(mesh.vertices).astype(np.float32),
        triangles=mesh.triangles.astype(np.uint16),
        materials=mesh.materials.astype(np.uint8),
        material_names=np.array(MATERIALS),
        uv=mesh.uv.astype(np.float32),
        head_weight=mesh.head_weight.astype(np.float32),
        lid_rims=mesh.lid_rims.astype(np.uint16),
        eye_centres=blender_axes(mesh.eye_centres).astype(np.float32),
        eye_radius=np.float32(EYE_RADIUS * METRES),
        gaze_angles=gaze_angles(shapes).astype(np.float32),
        pivot=blender_axes(np.array(HEAD_PIVOT)).astype(np.float32),
        key_names=np.array(shapes.names),
        key_offsets=offsets.astype(np.float16),
    )


def key_offsets(shapes: FaceShapes, mesh: HeadMesh, name: str) -> np.ndarray:
    """(n, 3) cm: the face's offsets of one shape, and what the rest of the head makes of them."""
    face = shapes.of(name).astype(np.float64)
    offsets = mesh.follow @ face
    if name in JAW_SHAPES:
        offsets += mesh.jaw_weight[:, None] * bone_motion(shapes.face, face, mesh.vertices)
    if name == "tongueOut":
        offsets += mesh.tongue
    return offsets


def bone_motion(face: np.ndarray, offsets: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(n, 3) cm how points move that go with the bone under the chin.

    Shift and turn (to first order: shape keys are linear) that move the chin's vertices most nearly
    as ``offsets`` (468, 3) do.
    """
    chin = face[list(_CHIN)].astype(np.float64)
    motion = np.linalg.lstsq(_rigid(chin), offsets[list(_CHIN)].ravel(), rcond=None)[0]
    return (_rigid(points) @ motion).reshape(-1, 3)


def _rigid(points: np.ndarray) -> np.ndarray:
    """(3n, 6) what a unit of shift and of turn along each axis does to points."""
    shifts = np.tile(np.eye(3), (len(points), 1))
    turns = np.stack([np.cross(axis, points) for axis in np.eye(3)], -1).reshape(-1, 3)
    return np.concatenate([shifts, turns], 1)


def gaze_angles(shapes: FaceShapes) -> np.ndarray:
    """(2,) radians, sideways and up or down, that shift the iris as far as the table says."""
    width = np.linalg.norm(shapes.face[33] - shapes.face[133])
    return np.arcsin(np.abs(shapes.gaze).max((0, 1)) * width / EYE_RADIUS)


def blender_axes(points: np.ndarray) -> np.ndarray:
    """(…, 3) cm with y up and z out of the face → metres with z up and the face towards −y."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1) * METRES
