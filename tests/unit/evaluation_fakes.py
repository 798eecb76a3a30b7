"""Measured cached results of faces that answer in a known way."""

from __future__ import annotations

import numpy as np

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.evaluation.protocols.cached_results import CachedResult
from photorig.worker.reenactment.bundle import ModelBundle

FAMILY = "fake"
N = len(FACE_SCHEMA)
N_IDENTITY = 4


def readings(parameters: np.ndarray, identity: np.ndarray | None = None) -> CachedResult:
    """Arrays of f readings by the fake family, whose eyes are 60 pixels apart."""
    count = len(parameters)
    unit = np.eye(N_IDENTITY)[0]
    values = {
        "parameters": parameters,
        "apertures": np.zeros((count, 3)),
        "gaze": np.zeros((count, 2, 2)),
        "identity": np.tile(unit, (count, 1)) if identity is None else identity,
        "age": np.full(count, 30.0),
        "gender": np.full(count, 0.5),
        "race": np.tile([0.75, 0.25], (count, 1)),
        "landmarks": np.tile(np.random.default_rng(0).uniform(50, 200, (68, 2)), (count, 1, 1)),
        "eyes": np.tile([[158.0, 100.0], [98.0, 100.0]], (count, 1, 1)),
    }
    return {f"{FAMILY}.{name}": np.asarray(v, np.float32) for name, v in values.items()}


def person_result(index: int, mirror_cosine: float = 0.8) -> CachedResult:
    """A person who looks 10° aside: rest, photographed again, other styles, mirrored."""
    parameters = np.zeros((4, N))
    parameters[:, 0] = [10, 10, 10, -10]
    cosines = np.array([1.0, 0.96, 0.9, mirror_cosine])
    identity = np.zeros((4, N_IDENTITY))
    identity[:, 0], identity[:, 1] = cosines, np.sqrt(1 - cosines**2)
    return {
        "parameters": parameters[0].astype(np.float32),
        "person": np.array(index),
        "net3d.parameters": parameters.astype(np.float32),
        **readings(parameters, identity),
    }


def sweep_result(
    index: int, bundle: ModelBundle, gain: float = 1.0, leak: float = 0.0
) -> CachedResult:
    """jawOpen and headYaw swept; jawOpen leaks into mouthPucker."""
    jaw, yaw, pucker = (FACE_SCHEMA.index[name] for name in ("jawOpen", "headYaw", "mouthPucker"))
    moves = [(jaw, f, f * 0.5) for f in (0.25, 0.5, 0.75, 1.0)]
    moves += [(yaw, f, f * 20.0) for f in (-1.0, -0.5, 0.5, 1.0)]
    parameters = np.zeros((len(moves), N))
    parameters[:, yaw] = 10
    for row, (position, _, asked) in enumerate(moves):
        parameters[row, position] += gain * asked
        parameters[row, pucker] += leak * asked * (position == jaw)
    return {
        "person": np.array(index),
        "parameter": np.array([position for position, _, _ in moves], np.int32),
        "fraction": np.array([fraction for _, fraction, _ in moves], np.float32),
        "asked": np.array([asked for _, _, asked in moves], np.float32),
        "background": np.full(len(moves), 2.0, np.float32),
        "shift": np.full(len(moves), 1.5, np.float32),
        **readings(parameters),
    }
