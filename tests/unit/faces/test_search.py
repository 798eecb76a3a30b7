"""Small faces in large pictures."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.faces.net3d import FaceMeasurement, Net3D
from photorig.worker.faces.search import _tile_corners, find_faces

from .. import face_fakes

ASTRONAUT = Path(__file__).parents[2] / "data" / "astronaut.jpg"


@pytest.fixture(scope="module")
def net3d() -> Net3D:
    return Net3D()


def picture_with_faces(width: int, height: int, *places: tuple[int, int]) -> np.ndarray:
    """The astronaut's picture (256²) at each left and top on grey."""
    picture = np.full((height, width, 3), 120, np.uint8)
    for left, top in places:
        picture[top : top + 256, left : left + 256] = np.array(Image.open(ASTRONAUT))
    return picture


@pytest.mark.weights("face-landmarker")
def test_a_face_that_one_look_misses_is_found_in_its_tile(net3d):
    picture = picture_with_faces(1400, 900, (1000, 500))
    assert net3d.analyze(picture) == []
    (face,) = find_faces(picture, net3d)
    (alone,) = net3d.analyze(picture_with_faces(256, 256, (0, 0)))
    assert np.subtract(face.box, alone.box) == pytest.approx([1000, 500, 1000, 500], abs=3)
    assert np.abs(face.parameters[3:] - alone.parameters[3:]).max() < 0.1


@pytest.mark.weights("face-landmarker")
def test_the_pose_is_the_one_the_camera_of_the_whole_picture_sees(net3d):
    picture = picture_with_faces(700, 700, (400, 50))
    seen = net3d.analyze_one(picture)
    framed = np.full((1400, 1400, 3), 120, np.uint8)
    framed[350:1050, 350:1050] = picture
    (found,) = find_faces(framed, net3d)
    # The same place relative to the optical axis in pixels, at half the size of the picture:
    # the camera is assumed to be nearer, so angles off the axis differ, but only a little.
    assert found.parameters[:3] == pytest.approx(seen.parameters[:3], abs=8)
    assert found.transform[0, 3] > 0 and found.transform[1, 3] > 0  # right of and above the axis


@pytest.mark.weights("face-landmarker")
def test_each_small_face_is_found_once(net3d):
    picture = picture_with_faces(2000, 700, (100, 30), (880, 300), (1700, 100))
    lefts = sorted(face.box[0] for face in find_faces(picture, net3d))
    assert lefts == pytest.approx([185, 965, 1785], abs=8)


@pytest.mark.weights("face-landmarker")
def test_a_large_face_needs_no_search(net3d):
    picture = picture_with_faces(256, 256, (0, 0))
    (found,), (direct,) = find_faces(picture, net3d), net3d.analyze(picture)
    assert np.array_equal(found.parameters, direct.parameters)


class _Beside:
    """Sees a face 80 pixels wide, half of it too low in all but close-ups of it."""

    def __init__(self, middle: tuple[float, float]) -> None:
        self.middle = middle

    def analyze(self, image: np.ndarray) -> list[FaceMeasurement]:
        points = face_fakes.face() * 300
        is_whole = image.shape[:2] == (600, 600)
        x, y = (axis[0, 0] for axis in (image[..., 0], image[..., 1]))  # where this part begins
        here = np.array(self.middle) - np.array([x, y]) * 4.0 + [0, 40 if is_whole else 0]
        points[:, :2] += here - points[:468, :2].mean(0)
        low, high = points[:468, :2].min(0), points[:468, :2].max(0)
        box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
        parameters = np.zeros(len(FACE_SCHEMA), np.float32)
        return [FaceMeasurement(parameters, points.astype(np.float32), box, np.eye(4))]


@pytest.mark.weights("face-landmarker")
def test_a_face_that_was_detected_beside_its_place_is_measured_where_it_is() -> None:
    corners = np.zeros((600, 600, 3), np.uint8)
    corners[..., 0], corners[..., 1] = np.mgrid[:600, :600][::-1] // 4
    middle = (300.0, 200.0)
    (found,) = find_faces(corners, _Beside(middle))  # type: ignore[arg-type]
    assert found.landmarks[:468, :2].mean(0) == pytest.approx(middle, abs=4)


@pytest.mark.parametrize(("height", "width", "tile"), [(100, 100, 50), (70, 300, 100), (9, 7, 20)])
def test_tiles_cover_the_picture_and_overlap_by_half(height, width, tile):
    covered = np.zeros((height, width), bool)
    corners = list(_tile_corners(height, width, tile))
    for left, top in corners:
        assert left >= 0 and top >= 0
        covered[top : top + tile, left : left + tile] = True
    assert covered.all()
    lefts = sorted({left for left, _ in corners})
    assert all(after - before <= tile / 2 + 1 for before, after in itertools.pairwise(lefts))
