"""Alignment as a map: invertible anywhere, exact below a pixel, and calm outside the photo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from photorig.worker.portraits.alignment import Alignment

from ..align_fakes import landmarks, smooth_photo


@given(
    turn=st.floats(-180, 180),
    scale=st.floats(0.2, 40),
    x=st.floats(-2000, 12000),
    y=st.floats(-2000, 12000),
)
def test_every_alignment_can_be_inverted_to_a_thousandth_of_a_pixel(turn, scale, x, y):
    face = landmarks(turn, scale, (x, y))
    alignment = Alignment.of_face(face)
    points = face[:, :2]
    assert np.abs(alignment.to_photo(alignment.to_square(points)) - points).max() < 1e-3
    square = alignment.corners
    sides = np.linalg.norm(np.diff(square, axis=0, append=square[:1]), axis=1)
    assert sides == pytest.approx([alignment.side] * 4)
    (a, b), (c, d) = alignment.matrix[:, :2]
    assert a == pytest.approx(d) and b == pytest.approx(-c) and a * d - b * c > 0  # not mirrored


@given(turn=st.floats(-40, 40), x=st.floats(180, 220), y=st.floats(120, 160))
def test_the_crop_shows_each_place_where_the_alignment_says(turn, x, y):
    photo = smooth_photo()
    alignment = Alignment.of_face(landmarks(turn, 0.8, (x, y)))
    crop = alignment.crop(photo, 128).astype(float)
    places = np.array([[0.3, 0.4], [0.5, 0.5], [0.71, 0.62]])
    x_photo, y_photo = alignment.to_photo((np.floor(places * 128) + 0.5) / 128).T
    waves = [np.sin(x_photo / 31), np.cos(y_photo / 23), np.sin((x_photo + y_photo) / 37)]
    rows, columns = np.floor(places[:, ::-1] * 128).astype(int).T
    assert crop[rows, columns] == pytest.approx(127 + 100 * np.stack(waves, -1), abs=2.5)


def test_outside_the_photo_the_mirror_image_is_blurred_away_and_inside_nothing_changes():
    checks = ((np.indices((200, 200)) // 8).sum(0) % 2 * 255).astype(np.uint8)
    photo = checks[..., None].repeat(3, 2)
    alignment = Alignment.upright(200, top=-80)  # 80 pixels are missing above
    crop = alignment.crop(photo, 200)
    assert np.array_equal(crop[80:], photo[:120])
    contrast = [crop[rows].astype(float).std() for rows in (slice(72, 80), slice(40, 48), slice(8))]
    assert 127 > contrast[0] > contrast[1]
    assert max(contrast[1:]) < 5


@pytest.mark.weights("face-landmarker")
def test_half_a_face_at_the_edge_does_not_become_two():
    from photorig.worker.faces.net3d import Net3D

    net3d = Net3D()
    photo = np.array(Image.open(Path(__file__).parents[2] / "data" / "astronaut.jpg"))
    face = net3d.analyze_one(photo)
    alignment = Alignment.of_face(face.landmarks)
    mouth = round(float(face.landmarks[14, 1]))
    crop = alignment.crop(photo[:mouth], 256)
    assert len(net3d.analyze(crop)) <= 1
    row = round(float(alignment.to_square(np.array([[0.0, mouth]]))[0, 1] * 256))
    assert crop[row + 40 :].std() < 0.6 * crop[: row - 40].std()
