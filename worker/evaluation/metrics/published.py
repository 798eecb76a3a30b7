"""Published figures of other systems, to stand beside ours: not to be compared digit by digit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """One system in one table.

    Attributes:
        system: its name.
        identity: cross-person CSIM. pose: cross-person pose error, degrees.
        expression: cross-person expression error in the table's own unit.
        self_identity, self_pose: the same on the person's own recording.
    """

    system: str
    self_identity: float
    self_pose: float
    identity: float
    pose: float
    expression: float


DIRECTIONS_POSTER = (
    Published("X2Face", 0.70, 1.5, 0.57, 2.2, 1.5),
    Published("FOMM", 0.65, 5.0, 0.73, 7.7, 2.0),
    Published("Fast Bi-layer", 0.64, 1.1, 0.48, 1.5, 1.3),
    Published("Neural-Head", 0.40, 1.3, 0.36, 1.7, 1.6),
    Published("LSR", 0.59, 1.0, 0.50, 1.4, 1.2),
    Published("PIR", 0.71, 1.86, 0.62, 2.2, 1.4),
    Published("Finding Directions", 0.66, 1.1, 0.63, 1.2, 1.0),
)
"""Poster of 'Finding Directions in GAN's Latent Space for Neural Face Reenactment' (BMVC 2022),
VoxCeleb1; the unit of its expression error is not given."""

HYPERREENACT = (
    Published("X2Face", 0.70, 1.3, 0.57, 2.2, 16.4),
    Published("FOMM", 0.64, 4.6, 0.53, 10.9, 20.9),
    Published("Neural-Head", 0.40, 1.2, 0.34, 1.8, 15.3),
    Published("Fast Bi-layer", 0.65, 1.0, 0.58, 1.4, 14.7),
    Published("PIR", 0.69, 1.9, 0.61, 2.4, 15.4),
    Published("LSR", 0.59, 1.0, 0.50, 1.5, 13.1),
    Published("Finding Directions", 0.65, 1.0, 0.49, 1.7, 10.2),
    Published("LIA", 0.64, 4.7, 0.57, 2.8, 15.7),
    Published("Dual", 0.26, 3.4, 0.19, 3.1, 16.9),
    Published("ROME", 0.69, 1.5, 0.63, 1.2, 8.8),
    Published("HyperReenact", 0.71, 0.5, 0.68, 0.5, 9.3),
)
"""Table 1 of 'HyperReenact' (ICCV 2023), VoxCeleb1 test, 35 cross-person pairs."""

DIFFERENCES = (
    "The published figures are of real people in VoxCeleb1 videos at 256², judged by ArcFace and "
    "DECA, with source and driver taken from recordings. Ours are of faces sampled from the "
    "generator, which need no inversion: that makes identity and background easier than on "
    "photos. Our judges are other networks with other scales, and our pose targets are drawn "
    "evenly from ±30° and ±15°, wider than most frames of an interview. Even the two published "
    "tables do not agree with each other on the same system, so compare orders of magnitude only."
)
