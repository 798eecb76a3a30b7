"""``photorig train head-shapes``: writes the data file of the extension's rigged head."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .face_samples import collect_samples
from .face_topology import EYE_RADIUS
from .head_mesh import MATERIALS, PIVOT, HeadMesh, build_head_mesh
from .head_shapes import HeadShapes, learn_shapes

LEFT_OUT = {
    "cheekPuff": "Net3D hardly ever reports it",
    "cheekSquintLeft": "Net3D hardly ever reports it",
    "cheekSquintRight": "Net3D hardly ever reports it",
    "jawForward": "Net3D hardly ever reports it",
    "jawLeft": "mixed with an open jaw",
    "jawRight": "mixed with an open jaw",
    "mouthClose": "mixed with a long jaw",
    "mouthDimpleLeft": "parts the lips",
    "mouthDimpleRight": "parts the lips",
    "mouthRollUpper": "lifts the lip off the teeth instead of rolling it in",
    "mouthShrugUpper": "lifts the lip off the teeth instead of pushing it out",
    "noseSneerLeft": "Net3D hardly ever reports it",
    "noseSneerRight": "Net3D hardly ever reports it",
    "tongueOut": "Net3D cannot see it",
}
"""Shapes that do not look right on the mesh, judged on a contact sheet, and why."""

DATA_FILE = Path("blender_addon/data/photorig_head.npz")
METRES = 0.01
SMALLEST_MOVE = 5e-5
"""Metres; a vertex that a shape moves less stays where it is."""


@dataclass(frozen=True)
class Settings:
    """What the head is learned from."""

    count: int = 4000
    seed: int = 0
    threads: int = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``photorig train head-shapes``."""
    defaults = Settings()
    parser.add_argument("--out", type=Path, default=DATA_FILE, help="file to write")
    parser.add_argument("--cache", type=Path, help="folder for sampled faces")
    parser.add_argument("--count", type=int, default=defaults.count, help="faces to learn from")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--threads", type=int, default=defaults.threads)


def run(args: argparse.Namespace) -> int:
    """Samples faces, learns the shapes, writes the head and says what is in it."""
    from photorig.worker.faces.landmarker import load_landmarker
    from photorig.worker.generators import load_generator
    from photorig.worker.registry.cache import default_cache_folder

    torch.set_num_threads(args.threads)
    landmarker = load_landmarker()
    cache = args.cache or default_cache_folder() / "face-samples"
    samples = collect_samples(
        load_generator("cpu"),
        landmarker,
        cache,
        count=args.count,
        seed=args.seed,
        progress=lambda done, count: print(f"{done} of {count} faces", flush=True),
    )
    canonical = landmarker.canonical_vertices.numpy()
    shapes = learn_shapes(samples, canonical)
    mesh = build_head_mesh(
        shapes.rest,
        canonical,
        landmarker.canonical_uv.numpy(),
        landmarker.canonical_triangles.numpy(),
    )
    write_head(args.out, shapes, mesh)
    print(f"{args.out}: {len(shapes.names) - len(LEFT_OUT)} shape keys; left out:")
    for name, reason in LEFT_OUT.items():
        print(f"  {name}: {reason}")
    return 0


def write_head(path: Path, shapes: HeadShapes, mesh: HeadMesh) -> None:
    """The head in Blender's axes and metres: plain arrays, no pickle, for blender_addon/head.py.

    Shape offsets are kept at half precision: a step of 2e-5 m at the strongest key.
    """
    names = [name for name in shapes.names if name not in LEFT_OUT]
    offsets = np.stack([mesh.follow @ shapes.offsets[shapes.names.index(name)] for name in names])
    offsets = blender_axes(offsets)
    offsets[np.linalg.norm(offsets, axis=-1) < SMALLEST_MOVE] = 0.0
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        vertices=blender_axes(mesh.vertices).astype(np.float32),
        triangles=mesh.triangles.astype(np.uint16),
        materials=mesh.materials.astype(np.uint8),
        material_names=np.array(MATERIALS),
        uv=mesh.uv.astype(np.float32),
        head_weight=mesh.head_weight.astype(np.float32),
        eye_centres=blender_axes(mesh.eye_centres).astype(np.float32),
        eye_radius=np.float32(EYE_RADIUS * METRES),
        pivot=blender_axes(np.array(PIVOT)).astype(np.float32),
        key_names=np.array(names),
        key_offsets=offsets.astype(np.float16),
        left_out=np.array(sorted(LEFT_OUT)),
    )


def blender_axes(points: np.ndarray) -> np.ndarray:
    """(…, 3) cm with y up and z out of the face → metres with z up and the face towards −y."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1) * METRES
