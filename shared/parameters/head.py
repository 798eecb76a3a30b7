"""A head before a camera: what its parameters are measured by, in worker and extension alike."""

from __future__ import annotations

HEAD_PIVOT = (0.0, -7.5, -3.0)
"""The point that a head turns about, cm in the axes of MediaPipe's canonical face (x to image
right, y up, z towards the camera): the upper neck. A head's translation is this point's, so that
turning and tilting a head does not shift it. Recordings agree with it to 2 cm
(docs/measurements.md, "Where a head turns")."""

FIELD_OF_VIEW = 63.0
"""Degrees, vertical: of the camera that MediaPipe's metric face is seen by."""
