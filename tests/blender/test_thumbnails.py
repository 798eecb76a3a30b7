"""The panel shows whose portrait it is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from fake_layout import FakeLayout
from portrait_files import read_pixels, write_portrait


@pytest.mark.parametrize("scale", [1, 12], ids=["small photo", "large photo"])
def test_a_thumbnail_is_the_aligned_face(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path, scale: int
) -> None:
    photo = np.zeros((60 * scale, 90 * scale, 3), np.uint8)
    left, top, edge = 30 * scale, 10 * scale, 40 * scale  # where the face is in it
    photo[top : top + edge // 2, left : left + edge] = (200, 40, 40)
    photo[top + edge // 2 : top + edge, left : left + edge] = (40, 40, 200)
    alignment = np.array([[1 / edge, 0, -left / edge], [0, 1 / edge, -top / edge]])
    path = write_portrait(
        tmp_path / "face.portrait",
        modules.schema.FACE_SCHEMA.hash,
        photo=photo,
        alignment=alignment,
        seed=scale,
    )
    before = len(bpy.data.images)
    made = modules.thumbnails.make_thumbnail(modules.portrait_file.read_portrait(path))
    assert len(bpy.data.images) == before
    pixels = read_pixels(made).astype(int)
    assert pixels.shape == (128, 128, 3)
    np.testing.assert_allclose(pixels[20, 64], (200, 40, 40), atol=3)
    np.testing.assert_allclose(pixels[108, 64], (40, 40, 200), atol=3)
    np.testing.assert_allclose(pixels[108, [4, 123]], [(40, 40, 200)] * 2, atol=3)
    assert [each.name for each in made.parent.glob("*.photo.png")] == []


def test_the_panel_shows_the_face_its_name_and_how_it_is_held(
    scene: bpy.types.Scene, modules: SimpleNamespace, tmp_path: Path
) -> None:
    schema = modules.schema.FACE_SCHEMA
    parameters = schema.vector({"headYaw": 12.4, "headRoll": -3.2})
    path = write_portrait(tmp_path / "ada.portrait", schema.hash, "Ada", parameters=parameters)
    bpy.ops.photorig.load_portrait(filepath=str(path))
    layout = FakeLayout()
    modules.panels.draw_portrait(layout, scene.camera.data)
    assert "Ada" in layout.texts
    assert "Head Yaw 12°" in layout.texts
    assert "Head Roll −3°" in layout.texts
    preview = modules.thumbnails.thumbnail(scene.camera.data.photorig.portrait_id)
    assert tuple(preview.image_size) == (128, 128)
    assert modules.thumbnails.thumbnail("0" * 64) is None
