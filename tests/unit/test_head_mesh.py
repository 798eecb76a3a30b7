"""The head that is built around the face, and the data file the extension reads."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from photorig.shared.schema import ARKIT_NAMES
from photorig.worker.training.face_topology import INNER_LIPS, RIGHT_LOWER_LID, RIGHT_UPPER_LID
from photorig.worker.training.head_data import LEFT_OUT, blender_axes

HEAD_FILE = Path(__file__).parents[2] / "blender_addon" / "data" / "photorig_head.npz"


@pytest.fixture(scope="module")
def head() -> dict[str, np.ndarray]:
    with np.load(HEAD_FILE, allow_pickle=False) as data:
        return dict(data)


def test_every_arkit_shape_is_shipped_or_named_as_left_out(head: dict[str, np.ndarray]) -> None:
    shipped = set(head["key_names"].tolist())
    assert shipped | set(head["left_out"].tolist()) == set(ARKIT_NAMES)
    assert not shipped & set(LEFT_OUT)


def test_the_numbers_are_those_of_a_head_in_metres(head: dict[str, np.ndarray]) -> None:
    face = head["vertices"][:468]
    assert 0.14 < np.ptp(face[:, 0]) < 0.17
    assert 0.15 < np.ptp(face[:, 2]) < 0.20
    assert face[:, 1].argmin() in (1, 4)  # the tip of the nose looks along -Y
    assert np.isfinite(head["key_offsets"]).all()
    assert np.abs(head["key_offsets"]).max() < 0.035


@pytest.mark.parametrize(
    "opening", [INNER_LIPS, RIGHT_UPPER_LID + RIGHT_LOWER_LID], ids=["mouth", "eye"]
)
def test_nothing_covers_the_openings(head: dict[str, np.ndarray], opening: tuple[int, ...]) -> None:
    ring = set(opening)
    assert not any(ring.issuperset(corners) for corners in head["triangles"].tolist())


def test_each_part_is_wound_one_way_round(head: dict[str, np.ndarray]) -> None:
    edges = Counter(
        (triangle[i], triangle[(i + 1) % 3])
        for triangle in head["triangles"].tolist()
        for i in range(3)
    )
    assert max(edges.values()) == 1


def test_triangles_of_the_face_look_outwards(head: dict[str, np.ndarray]) -> None:
    corners = head["vertices"][head["triangles"][:700]]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outwards = corners.mean(1) - (0, 0.02, 0)
    assert ((normals * outwards).sum(1) > 0).mean() > 0.95


def test_the_face_looks_along_minus_y_with_z_up() -> None:
    np.testing.assert_allclose(blender_axes(np.array([1.0, 2.0, 3.0])), (0.01, -0.03, 0.02))
