"""``photorig train judge``: fits the maps through which the judge reads landmarks.

Faces are sampled and rendered, Net3D says what they do, dlib and the iris network where their
landmarks are. No face is edited, and none is of the people that evaluation looks at.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from photorig.shared.errors import InputError
from photorig.shared.parameters.schema import ARKIT_NAMES, FACE_SCHEMA
from photorig.worker.evaluation.estimators import readings, regression
from photorig.worker.evaluation.estimators.eyes import Eye, EyeReader
from photorig.worker.evaluation.estimators.landmarks import LandmarkFinder

from ..head_model.face_samples import BATCH, IMAGE_SIZE, FaceSamples, Sampler, collect_samples

CARD = "judge-landmarks"
POSE = regression.Settings(components=60, supports=600, width=0.8, kernel_ridge=0.02)
EXPRESSION = regression.Settings(
    components=80, linear_ridge=10.0, supports=400, width=1.0, kernel_ridge=0.1
)
EYE = regression.Settings(
    components=100, linear_ridge=30.0, supports=600, width=0.8, kernel_ridge=0.1
)
_HELD_OUT = 5
"""Every fifth face is kept to measure with, then used as well for the maps that are saved."""
_FEWEST = 200
_STILL = 0.02
"""A coefficient that varies less from face to face: Net3D does not report it."""


@dataclass(frozen=True, eq=False)
class JudgedFaces:
    """n faces as both see them.

    Attributes:
        shapes: (n, 136), features: (n, 440), as `readings` makes them.
        eyes: n pairs of left and right eye.
        frames: (n, 3, 3) rotation of the upright picture in the camera.
        angles: (n, 3) Net3D's yaw, pitch, roll in degrees. coefficients: (n, 52) Net3D's.
    """

    shapes: np.ndarray
    features: np.ndarray
    eyes: tuple[tuple[Eye, Eye], ...]
    frames: np.ndarray
    angles: np.ndarray
    coefficients: np.ndarray

    def __len__(self) -> int:
        return len(self.angles)

    def only(self, chosen: np.ndarray) -> JudgedFaces:
        """Those for which chosen (n,) is True."""
        return JudgedFaces(
            self.shapes[chosen],
            self.features[chosen],
            tuple(eyes for eyes, keep in zip(self.eyes, chosen, strict=True) if keep),
            self.frames[chosen],
            self.angles[chosen],
            self.coefficients[chosen],
        )


def judge_faces(
    generator: Sampler, samples: FaceSamples, progress: Callable[[int, int], None] | None = None
) -> JudgedFaces:
    """Render the samples again and read their landmarks; faces that dlib misses are left out."""
    finder, reader = LandmarkFinder(), EyeReader()
    head = [FACE_SCHEMA.index[name] for name in ("headYaw", "headPitch", "headRoll")]
    mimic = [FACE_SCHEMA.index[name] for name in ARKIT_NAMES]
    rows, pairs = [], []
    for start in range(0, len(samples), BATCH):
        latents = samples.latents[start : start + BATCH]
        images = generator.synthesize(generator.expand(latents), IMAGE_SIZE)
        for image, parameters in zip(images, samples.parameters[start:], strict=False):
            face = finder.find(image)
            if face is None:
                continue
            eyes = reader.read(face)
            pairs.append(eyes)
            rows.append(
                (
                    readings.shape_features(face.landmarks),
                    readings.face_features(face.landmarks, eyes),
                    readings.frame_rotation(face, image.shape[:2]),
                    parameters[head],
                    parameters[mimic],
                )
            )
        if progress:
            progress(min(start + BATCH, len(samples)), len(samples))
    shapes, features, *net3d = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    return JudgedFaces(shapes, features, tuple(pairs), *net3d)


def fit_maps(faces: JudgedFaces, seed: int) -> tuple[readings.LandmarkMaps, np.ndarray]:
    """Fit the maps, and measure them on faces that were held out.

    Returns:
        The maps, fitted to all faces, with R² of faces held out; and the mean absolute difference
        (3,) in degrees between judge and Net3D on those.
    """
    held_out = np.arange(len(faces)) % _HELD_OUT == 0
    trial = _fit(faces.only(~held_out), seed)
    rest = faces.only(held_out)
    upright = trial.pose(rest.shapes)
    seen = [
        readings.angles(frame @ readings.rotation(angles))
        for frame, angles in zip(rest.frames, upright, strict=True)
    ]
    difference = np.abs(np.array(seen) - rest.angles).mean(0)
    guess = trial.expressions(rest.features, _eyes(rest, upright))
    r2 = _of_both_sides(_r2(guess, rest.coefficients))
    return replace(_fit(faces, seed), seen=r2), difference


def _fit(faces: JudgedFaces, seed: int) -> readings.LandmarkMaps:
    random = np.random.default_rng(seed)
    upright = [
        readings.angles(frame.T @ readings.rotation(angles))
        for frame, angles in zip(faces.frames, faces.angles, strict=True)
    ]
    pose = regression.fit(faces.shapes, np.array(upright), POSE, random)
    expression = regression.fit(faces.features, faces.coefficients, EXPRESSION, random)
    eyes = _eyes(faces, pose(faces.shapes))
    own = faces.coefficients[:, readings.EYE_PLACES]
    eye = regression.fit(
        eyes.reshape(-1, eyes.shape[-1]), own.reshape(-1, own.shape[-1]), EYE, random
    )
    return readings.LandmarkMaps(pose, expression, eye, np.zeros(readings.N_COEFFICIENTS))


def _eyes(faces: JudgedFaces, upright: np.ndarray) -> np.ndarray:
    """(n, 2, 266) features of both eyes, with heads that stand as (n, 3) angles say."""
    landmarks = faces.shapes.reshape(len(faces), -1, 2)
    rows = zip(landmarks, faces.eyes, upright, strict=True)
    return np.array([readings.eye_features(*row) for row in rows])


def _r2(guess: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(k,) share of each column's variance that is explained; 0 where hardly anything varies."""
    variance = truth.var(0)
    error = ((guess - truth) ** 2).mean(0)
    return np.where(variance > _STILL**2, 1 - error / np.maximum(variance, _STILL**2), 0.0)


def _of_both_sides(values: np.ndarray) -> np.ndarray:
    """(52,) each with its mirror image averaged: what is seen left is seen right."""
    mirrored = [
        ARKIT_NAMES.index(FACE_SCHEMA.parameters[FACE_SCHEMA.index[n]].mirror) for n in ARKIT_NAMES
    ]
    return (values + values[mirrored]) / 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of ``photorig train judge``."""
    from photorig.worker.registry.registry import MODELS_FOLDER

    parser.add_argument("--out", type=Path, default=MODELS_FOLDER / readings.FILE_NAME)
    parser.add_argument("--cache", type=Path, help="folder for sampled faces")
    parser.add_argument("--count", type=int, default=1800, help="faces to learn from")
    parser.add_argument("--generator", default="default", help="whose faces")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help="where pictures are made: cpu, cuda or mps")
    parser.add_argument("--threads", type=int, default=1)


def run(args: argparse.Namespace) -> int:
    """Samples faces, fits the maps, writes them and says what the judge can see."""
    from photorig.worker.faces.landmarker import load_landmarker
    from photorig.worker.generators import load_generator
    from photorig.worker.registry.cache import default_cache_folder

    if args.count < _FEWEST:
        raise InputError(f"{args.count} faces are too few", f"Take at least {_FEWEST}.")
    torch.set_num_threads(args.threads)
    generator = load_generator(args.device, name=args.generator)
    cache = args.cache or default_cache_folder() / "face-samples"
    samples = collect_samples(
        generator, load_landmarker(), cache, count=args.count, seed=args.seed, progress=_say
    )
    faces = judge_faces(generator, samples.usable(), _say)
    maps, difference = fit_maps(faces, args.seed)
    maps.save(args.out)
    yaw, pitch, roll = difference
    print(f"{args.out}: {len(faces)} faces")
    print(f"held out: yaw {yaw:.2f}°, pitch {pitch:.2f}°, roll {roll:.2f}° from Net3D")
    for name, r2 in zip(ARKIT_NAMES, maps.seen, strict=True):
        print(f"  {name}: R² {r2:.2f}")
    return 0


def _say(done: int, count: int) -> None:
    if done % 200 == 0 or done == count:
        print(f"{done} of {count} faces", flush=True)
