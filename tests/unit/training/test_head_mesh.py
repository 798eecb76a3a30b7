"""The head that is built around the face, and the data file the extension reads."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from photorig.shared.parameters.schema import ARKIT_NAMES
from photorig.worker.faces.face_shapes import FaceShapes, load_face_shapes
from photorig.worker.faces.face_topology import INNER_LIPS, RIGHT_LOWER_LID, RIGHT_UPPER_LID
from photorig.worker.training.head_model.command import blender_axes
from photorig.worker.training.head_model.head_builder import TEETH, TONGUE

HEAD_FILE = Path(__file__).parents[3] / "blender_addon" / "data" / "photorig_head.npz"


@pytest.fixture(scope="module")
def head() -> dict[str, np.ndarray]:
    with np.load(HEAD_FILE, allow_pickle=False) as data:
        return dict(data)


@pytest.fixture(scope="module")
def shapes() -> FaceShapes:
    return load_face_shapes()


def test_every_arkit_shape_is_there_in_arkits_order(head: dict[str, np.ndarray]) -> None:
    assert tuple(head["key_names"].tolist()) == ARKIT_NAMES


def test_the_face_is_that_of_the_table_and_moves_as_the_table_says(
    head: dict[str, np.ndarray], shapes: FaceShapes
) -> None:
    np.testing.assert_allclose(head["vertices"][:468], blender_axes(shapes.face), atol=1e-6)
    offsets = head["key_offsets"][:, :468].astype(np.float64)
    np.testing.assert_allclose(offsets, blender_axes(shapes.offsets), atol=2e-5)


@pytest.mark.parametrize("side", ["Left", "Right"])
def test_the_rims_of_shut_lids_meet(head: dict[str, np.ndarray], side: str) -> None:
    key = head["key_offsets"][ARKIT_NAMES.index(f"eyeBlink{side}")].astype(np.float64)
    rims = {edge: (rim, facing) for rim, edge, facing in head["lid_rims"].tolist()}
    shut, opened = head["vertices"] + key, head["vertices"]
    for rim, facing in rims.values():
        if (opened[rim, 0] > 0) == (side == "Left"):
            other = rims[facing][0]
            assert abs(shut[rim, 2] - shut[other, 2]) < 3e-4  # metres
            assert abs(opened[rim, 2] - opened[other, 2]) > 2e-3


def test_teeth_stay_and_lower_teeth_go_with_the_chin(head: dict[str, np.ndarray]) -> None:
    teeth = np.unique(head["triangles"][head["materials"] == TEETH])
    drop = head["key_offsets"][ARKIT_NAMES.index("jawOpen"), teeth, 2].astype(np.float64)
    upper, lower = drop[: len(drop) // 2], drop[len(drop) // 2 :]
    assert np.abs(upper).max() == 0
    assert lower.max() < -0.01
    for name in ("mouthSmileLeft", "mouthFunnel", "mouthLowerDownLeft"):
        assert np.abs(head["key_offsets"][ARKIT_NAMES.index(name), teeth]).max() == 0


def test_the_tongue_comes_out_between_the_lips(head: dict[str, np.ndarray]) -> None:
    out = head["vertices"] + head["key_offsets"][ARKIT_NAMES.index("tongueOut")]
    tongue = np.unique(head["triangles"][head["materials"] == TONGUE])
    upper_lip, lower_lip = out[13], out[14]
    tip = out[tongue][out[tongue, 1].argmin()]
    assert tip[1] < lower_lip[1] - 0.01, "a centimetre in front of the lips"
    passing = out[tongue][np.abs(out[tongue, 1] - lower_lip[1]) < 0.005]
    assert passing[:, 2].max() < upper_lip[2] + 1e-3
    assert passing[:, 2].min() > lower_lip[2] - 2e-3


def test_the_tongue_stays_in_the_mouth_otherwise(head: dict[str, np.ndarray]) -> None:
    tongue = np.unique(head["triangles"][head["materials"] == TONGUE])
    assert head["vertices"][tongue, 1].min() > head["vertices"][14, 1] + 0.005


def test_the_numbers_are_those_of_a_head_in_metres(head: dict[str, np.ndarray]) -> None:
    face = head["vertices"][:468]
    assert 0.14 < np.ptp(face[:, 0]) < 0.17
    assert 0.15 < np.ptp(face[:, 2]) < 0.20
    assert face[:, 1].argmin() in (1, 4)  # the tip of the nose looks along -Y
    assert np.isfinite(head["key_offsets"]).all()
    assert np.abs(head["key_offsets"]).max() < 0.05


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
