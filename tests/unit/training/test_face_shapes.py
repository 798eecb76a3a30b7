"""The table of face shapes: how far each shape goes, where, and what it does with others."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from photorig.shared.errors import ModelError
from photorig.shared.parameters.schema import ARKIT_NAMES, FACE_SCHEMA
from photorig.worker.faces.face_shapes import FaceShapes, load_face_shapes, read_face_shapes
from photorig.worker.faces.face_topology import (
    EYE_RADIUS,
    FACE_BORDER,
    INNER_LIPS,
    OUTER_LIPS,
    brows,
    eye_centres,
    lid_rings,
    mirror_vertices,
)
from photorig.worker.training.face_shapes.sculpting import LIPS, Clay
from photorig.worker.training.face_shapes.yardstick import ASKED, eye_distance, measure

UPPER_LIP, LOWER_LIP = np.array(INNER_LIPS[1:10]), np.array(INNER_LIPS[:10:-1])
LEFT_CORNER, RIGHT_CORNER = 291, 61
BOTH_SIDES = sorted({name[:-4] for name in ARKIT_NAMES if name.endswith("Left")})
ALONE = [name for name in ARKIT_NAMES if name != "mouthClose"]
"""mouthClose belongs over an open jaw."""
LIPS_ALONE = sorted(
    name for name in ARKIT_NAMES if name.startswith(("mouth", "cheekPuff")) and name != "mouthClose"
)


@pytest.fixture(scope="module")
def shapes() -> FaceShapes:
    return load_face_shapes()


@pytest.fixture(scope="module")
def mirror(shapes: FaceShapes) -> np.ndarray:
    return mirror_vertices(shapes.face)


def _after(shapes: FaceShapes, **amounts: float) -> np.ndarray:
    return shapes.face + shapes.moved(amounts)


def _lip_gap(face: np.ndarray) -> np.ndarray:
    """(9,) cm from the lower lip's inner edge up to the upper one's."""
    return face[UPPER_LIP, 1] - face[LOWER_LIP, 1]


def test_there_is_one_shape_for_each_arkit_name_and_none_is_empty(shapes: FaceShapes) -> None:
    assert shapes.names == ARKIT_NAMES
    farthest = np.linalg.norm(shapes.offsets, axis=-1).max(1)
    assert farthest.min() > 0.1, shapes.names[int(farthest.argmin())]


@pytest.mark.parametrize("name", ASKED)
def test_amount_one_is_arkits_full_motion(shapes: FaceShapes, name: str) -> None:
    assert measure(shapes)[name] == pytest.approx(ASKED[name], rel=0.03)


def test_each_point_of_the_lids_closes_to_13_percent(
    shapes: FaceShapes, mirror: np.ndarray
) -> None:
    for side, (upper, lower) in lid_rings(mirror).items():
        shut = _after(shapes, **{f"eyeBlink{side}": 1.0})
        gaps = [(face[upper] - face[lower])[1:-1, 1] for face in (shapes.face, shut)]
        np.testing.assert_allclose(gaps[1] / gaps[0], 0.13, atol=0.01)


@pytest.mark.parametrize("stem", BOTH_SIDES)
def test_left_and_right_are_mirror_images(
    shapes: FaceShapes, mirror: np.ndarray, stem: str
) -> None:
    left, right = shapes.of(f"{stem}Left"), shapes.of(f"{stem}Right")
    np.testing.assert_allclose(left[mirror] * (-1, 1, 1), right, atol=1e-6)


def test_shapes_of_both_sides_are_symmetric(shapes: FaceShapes, mirror: np.ndarray) -> None:
    for parameter in FACE_SCHEMA.parameters:
        if parameter.id in shapes.index and parameter.mirror == parameter.id:
            offsets = shapes.of(parameter.id)
            np.testing.assert_allclose(offsets[mirror] * (-1, 1, 1), offsets, atol=1e-6)


def test_only_the_jaw_moves_the_border_of_the_face(shapes: FaceShapes) -> None:
    for name in shapes.names:
        if name not in ("jawOpen", "jawLeft", "jawRight", "jawForward", "tongueOut"):
            assert np.abs(shapes.of(name)[list(FACE_BORDER)]).max() < 1e-6, name


def test_a_shape_moves_nothing_outside_its_part_of_the_face(
    shapes: FaceShapes, mirror: np.ndarray
) -> None:
    lids = np.unique(np.concatenate([np.concatenate(ring) for ring in lid_rings(mirror).values()]))
    eyebrows = np.concatenate(brows(mirror))
    lips = np.array([*INNER_LIPS, *OUTER_LIPS])
    still = {
        "brow": np.concatenate([lids, lips]),
        "eye": np.concatenate([eyebrows, lips]),
        "jaw": np.concatenate([lids, eyebrows]),
        "mouth": np.concatenate([lids, eyebrows]),
        "cheekPuff": np.concatenate([lids, eyebrows]),
        "cheekSquint": np.concatenate([eyebrows, lips]),
        "nose": np.concatenate([lids, eyebrows]),
        "tongue": np.concatenate([lids, eyebrows]),
    }
    for name in shapes.names:
        part = next(part for part in still if name.startswith(part))
        moved = np.abs(shapes.of(name)[still[part]]).max()
        assert moved < 1e-6, name


@pytest.mark.parametrize("stem", sorted({*BOTH_SIDES} - {"mouth", "jaw"}))
def test_one_side_leaves_the_other_alone(shapes: FaceShapes, stem: str) -> None:
    other = shapes.face[:, 0] < -1.6
    moved = np.linalg.norm(shapes.of(f"{stem}Left"), axis=1)
    assert moved[other].max() < 0.15 * moved.max()


def test_a_smile_on_one_side_does_not_lift_the_other_corner(shapes: FaceShapes) -> None:
    smile = shapes.of("mouthSmileLeft")
    assert abs(smile[RIGHT_CORNER]).max() < 0.15 * smile[LEFT_CORNER, 1]


@pytest.fixture(scope="module")
def skin(shapes: FaceShapes) -> np.ndarray:
    """Triangles of the face that do not cover an opening."""
    from photorig.worker.faces.canonical import load_canonical_face

    return Clay(shapes.face, load_canonical_face().triangles).skin


@pytest.mark.parametrize("name", [*ALONE, "shut over an open jaw"])
def test_the_skin_does_not_fold(shapes: FaceShapes, skin: np.ndarray, name: str) -> None:
    """Seen from the front each triangle keeps its side; a warp that follows them tears nothing."""
    amounts = {name: 1.0} if name in shapes.index else {"jawOpen": 1.0, "mouthClose": 1.0}
    lips = set(LIPS.vertices.tolist())
    corners = np.array([triangle for triangle in skin if not lips.issuperset(triangle.tolist())])

    def area(face: np.ndarray) -> np.ndarray:
        one, other = (face[corners[:, k], :2] - face[corners[:, 0], :2] for k in (1, 2))
        return one[:, 0] * other[:, 1] - one[:, 1] * other[:, 0]

    rest, there = area(shapes.face), area(_after(shapes, **amounts))
    folded = (rest * there < 0) & (np.abs(there) > 0.004)
    assert not folded.any(), corners[folded]


def test_the_skin_is_smooth(shapes: FaceShapes, skin: np.ndarray) -> None:
    """Neighbours go about the same way: nowhere is skin stretched to more than three times."""
    edges = np.concatenate([skin[:, [0, 1]], skin[:, [1, 2]]])
    lips = set(INNER_LIPS) | set(OUTER_LIPS)
    edges = np.array([edge for edge in edges if not lips & set(edge.tolist())])
    lengths = np.linalg.norm(shapes.face[edges[:, 0]] - shapes.face[edges[:, 1]], axis=1)
    edges, lengths = edges[lengths > 0.25], lengths[lengths > 0.25]
    for name in shapes.names:
        there = _after(shapes, **{name: 1.0})
        stretched = np.linalg.norm(there[edges[:, 0]] - there[edges[:, 1]], axis=1) / lengths
        assert stretched.max() < 3, name


@pytest.mark.parametrize("name", LIPS_ALONE)
def test_lips_do_not_cross(shapes: FaceShapes, name: str) -> None:
    assert _lip_gap(_after(shapes, **{name: 1.0})).min() > -0.03


def test_closed_lids_lie_on_the_eye_and_not_in_it(shapes: FaceShapes, mirror: np.ndarray) -> None:
    centre = eye_centres(shapes.face.astype(np.float64), mirror)["Left"]
    lids = np.concatenate(lid_rings(mirror)["Left"])
    for name in ("eyeBlinkLeft", "eyeSquintLeft", "eyeLookDownLeft"):
        there = _after(shapes, **{name: 1.0})
        assert np.linalg.norm(there[lids] - centre, axis=1).min() > EYE_RADIUS, name


@pytest.mark.parametrize("amount", [0.3, 0.6, 1.0])
def test_mouth_close_shuts_the_lips_over_a_jaw_that_stays_down(
    shapes: FaceShapes, amount: float
) -> None:
    opened = _after(shapes, jawOpen=amount)
    shut = _after(shapes, jawOpen=amount, mouthClose=amount)
    assert np.abs(_lip_gap(shut)).max() < 0.05 * eye_distance(shapes.face)
    np.testing.assert_allclose(shut[[152, 175, 199]], opened[[152, 175, 199]], atol=1e-6)


@pytest.mark.parametrize("pair", ["mouth", "jaw"])
def test_both_sideways_shapes_together_cancel(shapes: FaceShapes, pair: str) -> None:
    both = shapes.moved({f"{pair}Left": 1.0, f"{pair}Right": 1.0})
    assert np.abs(both).max() < 0.02


def test_rolled_lips_hide_their_red(shapes: FaceShapes) -> None:
    rolled = _after(shapes, mouthRollLower=1.0, mouthRollUpper=1.0)

    def red(face: np.ndarray) -> float:
        return float(face[0, 1] - face[17, 1])

    assert red(rolled) < 0.55 * red(shapes.face)
    assert rolled[13, 2] < shapes.face[13, 2] - 0.4


def test_a_sneer_lifts_the_wing_without_widening_the_nostril(
    shapes: FaceShapes,
) -> None:
    sneer = _after(shapes, noseSneerLeft=1.0)
    rim = [294, 327, 460, 290, 305]
    for one, other in pairwise(rim):
        before = np.linalg.norm(shapes.face[one] - shapes.face[other])
        assert np.linalg.norm(sneer[one] - sneer[other]) < 1.35 * before


def test_puffed_cheeks_go_out_and_forwards(shapes: FaceShapes) -> None:
    puff = shapes.of("cheekPuff")[[411, 427, 434]]  # the left cheek
    assert (puff[:, [0, 2]] > 0.2).all()


def test_gaze_shifts_the_iris_of_its_own_eye_the_lids_follow(
    shapes: FaceShapes, mirror: np.ndarray
) -> None:
    upper, _ = lid_rings(mirror)["Left"]
    for direction, shift in (("Up", (0, 0.17)), ("Down", (0, -0.17)), ("Out", (0.2, 0))):
        iris = shapes.gaze[shapes.index[f"eyeLook{direction}Left"]]
        np.testing.assert_allclose(iris, [(0, 0), shift], atol=1e-6)
        lid = shapes.of(f"eyeLook{direction}Left")[upper[4]]
        assert lid[:2] @ np.array(shift) > 0


def test_amounts_add_up(shapes: FaceShapes) -> None:
    both = shapes.moved({"jawOpen": 0.5, "mouthSmileLeft": 0.25})
    np.testing.assert_allclose(
        both, 0.5 * shapes.of("jawOpen") + 0.25 * shapes.of("mouthSmileLeft"), atol=1e-6
    )


def test_a_table_of_another_size_is_refused(shapes: FaceShapes, tmp_path: Path) -> None:
    path = tmp_path / "shapes.safetensors"
    tensors = {"face": shapes.face, "offsets": shapes.offsets[:51].copy(), "gaze": shapes.gaze}
    save_file(tensors, path)
    with pytest.raises(ModelError, match="sizes"):
        read_face_shapes(path)


def test_a_damaged_table_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "shapes.safetensors"
    path.write_bytes(b"no tensors")
    with pytest.raises(ModelError, match="cannot be read"):
        read_face_shapes(path)
