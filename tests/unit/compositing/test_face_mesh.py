"""Fields between two places of a face's mesh: exact at its vertices, nothing where none moves."""

from __future__ import annotations

import numpy as np
import pytest

from photorig.worker.compositing.face_mesh import SIDE, FacePose, field, warped
from photorig.worker.compositing.face_move import FaceMove
from photorig.worker.compositing.mesh_raster import interpolated, painted
from photorig.worker.faces.face_topology import FACE_BORDER, N_VERTICES
from photorig.worker.portraits.eye_frame import Eye
from photorig.worker.reenactment.face_target import IRISES, lid_edges

pytestmark = pytest.mark.weights("face-landmarker")


def rotation(yaw: float) -> np.ndarray:
    """(3, 3), degrees, nose to image right."""
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def landmarks(yaw: float = 0.0, scale: float = 0.028) -> np.ndarray:
    """(478, 3) of the canonical face in the middle of the square; irises between the lids."""
    from photorig.worker.faces.canonical import load_canonical_face

    face = load_canonical_face().vertices.astype(np.float64) @ rotation(yaw).T
    points = np.empty((478, 3))
    points[:N_VERTICES] = face * scale * [1, -1, -1] + [0.5, 0.5, 0]
    for side in ("Right", "Left"):
        upper, lower = lid_edges(side)
        middle = points[np.concatenate([upper, lower])].mean(0)
        ring = np.array([[0, 0, 0], [1, 0, 0], [0, -1, 0], [-1, 0, 0], [0, 1, 0]]) * 0.6 * scale
        points[IRISES[side]] = middle + ring
    return points


def eyes() -> tuple[Eye, ...]:
    return tuple(Eye(*lid_edges(side), IRISES[side]) for side in ("Right", "Left"))


def at(displacement: np.ndarray, point: np.ndarray) -> np.ndarray:
    column, row = (np.clip(point[:2] * SIDE, 0, SIDE - 1)).astype(int)
    return np.asarray(displacement[row, column])


@pytest.mark.parametrize("yaw", [0.0, 20.0, -35.0])
def test_how_a_face_lies_is_found(yaw: float) -> None:
    pose = FacePose.of(landmarks(yaw))
    np.testing.assert_allclose(pose.rotation, rotation(yaw), atol=1e-6)
    assert pose.scale == pytest.approx(0.028)


def test_moves_turn_with_the_face() -> None:
    rest, turned = FacePose.of(landmarks()), FacePose.of(landmarks(90.0))
    forward = np.array([[0.0, 0.0, -1.0]])  # towards the camera
    np.testing.assert_allclose(turned.carried(forward, rest), [[1.0, 0, 0]], atol=1e-6)


def test_nothing_moves_where_the_meshes_are_the_same() -> None:
    assert not field(landmarks(), landmarks(), 0.028).any()


def test_a_picture_that_nothing_moves_is_that_picture() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert warped(picture, np.zeros((SIDE, SIDE, 2), np.float32)) is picture


def test_the_field_leads_each_vertex_to_where_it_was() -> None:
    source, target = landmarks(), landmarks()
    target[:N_VERTICES, 1] += 0.02 * np.clip(target[:N_VERTICES, 1] - 0.5, 0, None) / 0.2
    displacement = field(target, source, 0.028)
    for vertex in (152, 17, 61, 291, 205, 425):  # chin, lower lip, corners, cheeks
        np.testing.assert_allclose(
            at(displacement, target[vertex]), (source - target)[vertex, :2], atol=1.5 / SIDE
        )


def test_what_lies_beyond_the_rings_stays() -> None:
    source, target = landmarks(), landmarks()
    target[:N_VERTICES, 0] += 0.03
    displacement = field(target, source, 0.028)
    outside = np.hypot(*(np.mgrid[:SIDE, :SIDE] / SIDE - 0.5)) > 0.48
    assert not displacement[outside].any()
    assert displacement[SIDE // 2, SIDE // 2, 0] == pytest.approx(-0.03, abs=1e-3)


def test_the_border_is_followed_less_and_less() -> None:
    source, target = landmarks(), landmarks()
    target[:N_VERTICES, 1] += 0.03
    displacement = field(target, source, 0.028)
    chin = target[152]
    below = [at(displacement, chin + [0, step, 0])[1] for step in (0.0, 0.05, 0.1, 0.25)]
    assert below[0] < below[1] < below[2] < 0 == below[3]


def test_of_a_turned_face_the_near_side_hides_the_far_one() -> None:
    source, target = landmarks(), landmarks(50.0)
    displacement = field(target, source, 0.028)
    nose = target[1]
    np.testing.assert_allclose(at(displacement, nose), (source - target)[1, :2], atol=3 / SIDE)


def test_flat_and_inverted_triangles_give_no_wild_positions() -> None:
    source, target = landmarks(), landmarks()
    target[:N_VERTICES, 1] = 0.5 + 1e-9 * target[:N_VERTICES, 1]
    displacement = field(target, source, 0.028)
    assert np.isfinite(displacement).all()
    assert np.abs(displacement).max() <= np.abs(source - target)[:, :2].max() + 1e-6


def test_a_triangle_hardly_wider_than_a_pixel_has_no_value_beyond_those_of_its_corners() -> None:
    points = np.array([[10.0, 10.0], [30.0, 10.3], [50.0, 10.0]])
    values, triangles = np.array([[0.0], [1.0], [0.0]]), np.array([[0, 1, 2]])
    index = painted(points, np.zeros(3), triangles, (20, 60))
    found = interpolated(index, points, values, triangles)
    assert index.any() and found.min() >= 0 and found.max() <= 1


def test_landmarks_far_outside_the_picture_do_no_harm() -> None:
    target = landmarks() + [40.0, -3.0, 0.0]
    assert np.isfinite(field(target, landmarks(), 0.028)).all()


def test_an_iris_moves_inside_its_lids_only() -> None:
    rest, target = landmarks(), landmarks()
    target[IRISES["Left"], 0] += 0.012
    move = FaceMove(rest, rest, target, 0.028, False, eyes())
    displacement = move._fields[1]
    assert at(displacement, target[IRISES["Left"]][0])[0] == pytest.approx(-0.012, abs=2e-3)
    assert not at(displacement, rest[IRISES["Right"]][0]).any()
    for vertex in (FACE_BORDER[3], 334, 425):
        assert not at(displacement, rest[vertex]).any()


def test_a_move_to_where_the_generator_already_is_leaves_its_picture_alone() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    rest, seen = landmarks(), landmarks(10.0)
    move = FaceMove(rest, seen, seen, 0.028, True, eyes())
    assert move.applied(picture) is picture


def test_a_frame_of_glasses_stays_while_the_skin_below_it_moves() -> None:
    rest = landmarks()
    raised = rest.copy()
    raised[105, 1] -= 0.03
    frame = np.zeros((SIDE, SIDE), np.float32)
    row, column = (rest[105, 1::-1] * SIDE).astype(int)
    frame[row - 8 : row + 9, column - 8 : column + 9] = 1
    move = FaceMove(rest, rest, raised, 0.028, False, eyes(), rest)
    black, grey = np.zeros((SIDE, SIDE, 3), np.uint8), np.full((SIDE, SIDE, 3), 128, np.uint8)
    moved, held = (
        FaceMove(**{**vars(move), "frame": part}).flow(grey, black) for part in (None, frame)
    )
    assert np.linalg.norm(at(moved.back, rest[105])) > 0.01
    np.testing.assert_allclose(held.back[row, column], 0, atol=1e-6)
    assert moved.rigid is None
    assert held.rigid is not None
    assert held.rigid[row, column] == 1
    assert held.trust[row, column] == 1, "whatever the generator draws there"
    assert moved.trust[row, column] < 0.1
