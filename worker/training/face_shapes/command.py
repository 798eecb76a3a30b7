"""``photorig train face-shapes``: writes the table of shapes that rig and worker share."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from photorig.worker.faces.face_shapes import SHAPES_FILE, FaceShapes, load_face_shapes
from photorig.worker.registry.registry import MODELS_FOLDER
from photorig.worker.registry.seal import seal

from .design import design_shapes
from .yardstick import ASKED, measure

CARD = "face-shapes.toml"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``photorig train face-shapes``."""
    parser.add_argument("--out", type=Path, default=MODELS_FOLDER / SHAPES_FILE, help="file")
    parser.add_argument(
        "--keep-face",
        action="store_true",
        help="design anew on the face at rest of the present table, without sampling faces",
    )
    parser.add_argument("--cache", type=Path, help="folder for sampled faces")
    parser.add_argument("--count", type=int, default=4000, help="faces to learn the face from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)


def run(args: argparse.Namespace) -> int:
    """Learns the face at rest, designs its shapes, writes both and says what they reach."""
    from photorig.worker.faces.canonical import load_canonical_face

    face = load_face_shapes().face if args.keep_face else _learned_face(args)
    shapes = design_shapes(face, load_canonical_face().triangles)
    write_shapes(args.out, shapes)
    if args.out == MODELS_FOLDER / SHAPES_FILE:
        seal(MODELS_FOLDER / CARD)
    print(f"{args.out}: {len(shapes.names)} shapes; asked and reached at amount 1:")
    for name, reached in measure(shapes).items():
        print(f"  {name:<17} {ASKED[name]:.3f} {reached:.3f}")
    return 0


def write_shapes(path: Path, shapes: FaceShapes) -> None:
    """The table as safetensors; the order of the shapes is in its metadata too."""
    from safetensors.numpy import save_file

    tensors = {"face": shapes.face, "offsets": shapes.offsets, "gaze": shapes.gaze}
    save_file(tensors, path, {"names": " ".join(shapes.names)})


def _learned_face(args: argparse.Namespace) -> np.ndarray:
    """(468, 3) cm, from faces that are sampled or lie in the cache."""
    from photorig.worker.faces.landmarker import load_landmarker
    from photorig.worker.generators import load_generator
    from photorig.worker.registry.cache import default_cache_folder

    from ..head_model.face_samples import collect_samples
    from .rest import learn_rest_face

    torch.set_num_threads(args.threads)
    landmarker = load_landmarker()
    samples = collect_samples(
        load_generator("cpu"),
        landmarker,
        args.cache or default_cache_folder() / "face-samples",
        count=args.count,
        seed=args.seed,
        progress=lambda done, count: print(f"{done} of {count} faces", flush=True),
    )
    return learn_rest_face(samples, landmarker.canonical_vertices.numpy())
