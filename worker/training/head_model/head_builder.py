"""Collects the vertices and triangles of a head behind the 468 of its face."""

from __future__ import annotations

import numpy as np

MATERIALS = ("Skin", "Lips", "Brows", "Mouth", "Teeth", "Tongue")
SKIN, LIPS, BROWS, MOUTH, TEETH, TONGUE = range(len(MATERIALS))


class Builder:
    """Grows ring by ring; every vertex says what moves it."""

    def __init__(self, face: np.ndarray, uv: np.ndarray) -> None:
        self.vertices = [np.asarray(face, np.float64)]
        self.uv = [np.asarray(uv, np.float64)]
        self.follow = [np.eye(len(face))]
        self.head_weight = [np.ones(len(face))]
        self.jaw_weight = [np.zeros(len(face))]
        self.tongue = [np.zeros((len(face), 3))]
        self.triangles: list[tuple[int, int, int]] = []
        self.materials: list[int] = []
        self.count = len(face)

    def add_ring(
        self,
        points: np.ndarray,
        uv: np.ndarray,
        follow: np.ndarray,
        head_weight: float = 1.0,
        jaw_weight: float = 0.0,
        tongue: np.ndarray | None = None,
    ) -> list[int]:
        """Adds (r, 3) points; returns their vertex numbers. See HeadMesh for the rest."""
        self.vertices.append(points)
        self.uv.append(uv)
        self.follow.append(follow)
        self.head_weight.append(np.full(len(points), head_weight))
        self.jaw_weight.append(np.full(len(points), jaw_weight))
        self.tongue.append(np.zeros((len(points), 3)) if tongue is None else tongue)
        numbers = list(range(self.count, self.count + len(points)))
        self.count += len(points)
        return numbers

    def add_triangle(self, corners: tuple[int, int, int], material: int) -> None:
        self.triangles.append(corners)
        self.materials.append(material)

    def bridge(self, near: list[int], far: list[int], material: int) -> None:
        """A band between two closed rings of equal length."""
        n = len(near)
        for i in range(n):
            a, b, c, d = near[i], near[(i + 1) % n], far[(i + 1) % n], far[i]
            self.add_triangle((a, d, b), material)
            self.add_triangle((b, d, c), material)

    def close(self, ring: list[int], centre: int, material: int) -> None:
        """A fan between a closed ring and one vertex."""
        for i, corner in enumerate(ring):
            self.add_triangle((corner, centre, ring[(i + 1) % len(ring)]), material)
