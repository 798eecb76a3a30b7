"""Geometry of faces: crops, transforms, angles."""

from __future__ import annotations

import math

import pytest
import torch

from photorig.worker.faces import geometry


def rotation(yaw: float, pitch: float, roll: float) -> torch.Tensor:
    """Degrees to a matrix that turns the head in the schema's sense: yaw after pitch after roll."""
    a, b, c = (math.radians(angle) for angle in (yaw, pitch, roll))
    about_y = torch.tensor(
        [[math.cos(a), 0, math.sin(a)], [0, 1, 0], [-math.sin(a), 0, math.cos(a)]]
    )
    about_x = torch.tensor(
        [[1, 0, 0], [0, math.cos(b), math.sin(b)], [0, -math.sin(b), math.cos(b)]]
    )
    about_z = torch.tensor(
        [[math.cos(c), -math.sin(c), 0], [math.sin(c), math.cos(c), 0], [0, 0, 1]]
    )
    return (about_y @ about_x @ about_z)[None]


def cloud(seed: int = 0, n: int = 60) -> torch.Tensor:
    """Points spread like a face, in cm."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3, generator=generator, dtype=torch.float64) * torch.tensor(
        [5.0, 7.0, 3.0], dtype=torch.float64
    )


def test_a_crop_of_the_whole_image_is_the_image():
    image = torch.rand(1, 3, 8, 8)
    region = torch.tensor([[4.0, 4.0, 8.0, 0.0]])
    assert torch.allclose(geometry.crop(image, region, 8), image, atol=1e-6)


def test_a_crop_turned_by_a_right_angle_is_the_turned_image():
    image = torch.rand(1, 1, 6, 6)
    region = torch.tensor([[3.0, 3.0, 6.0, math.pi / 2]])
    # The crop's x axis points down in the image: its first row is the image's last column.
    expected = torch.rot90(image, 1, (2, 3))
    assert torch.allclose(geometry.crop(image, region, 6), expected, atol=1e-5)


def test_several_regions_of_one_image_need_no_copies():
    image = torch.rand(1, 3, 9, 7)
    regions = torch.tensor([[3.0, 4.0, 4.0, 0.1], [4.0, 5.0, 3.0, -0.4]])
    both = geometry.crop(image, regions, 5)
    assert torch.equal(both[1:], geometry.crop(image, regions[1:], 5))


def test_landmarks_go_back_to_where_the_crop_was_taken():
    x, y = torch.meshgrid(torch.arange(20) + 0.5, torch.arange(20) + 0.5, indexing="xy")
    image = torch.stack([x, y])[None]  # every pixel holds its own position
    region = torch.tensor([[10.0, 9.0, 8.0, 0.3]])
    crop = geometry.crop(image, region, 16)
    place = torch.tensor([[[3.5 / 16, 11.5 / 16, 0.25]]])
    found = geometry.landmarks_to_image(place, region)[0, 0]
    assert torch.allclose(found[:2], crop[0, :, 11, 3], atol=1e-4)
    assert found[2] == pytest.approx(2.0)


@pytest.mark.parametrize("seed", range(5))
def test_the_nearest_rotation_is_a_rotation_that_no_neighbour_beats(seed):
    torch.manual_seed(seed)
    matrix = torch.randn(1, 3, 3, dtype=torch.float64)
    found = geometry.nearest_rotation(matrix)
    assert torch.allclose(found @ found.mT, torch.eye(3, dtype=torch.float64), atol=1e-10)
    assert torch.det(found).item() == pytest.approx(1)
    best = (found * matrix).sum()
    for _ in range(20):
        near = geometry.nearest_rotation(found + 0.05 * torch.randn(1, 3, 3, dtype=torch.float64))
        assert (near * matrix).sum() <= best + 1e-12


def test_the_nearest_rotation_has_the_gradient_that_finite_differences_give():
    torch.manual_seed(1)
    matrix = torch.randn(3, 3, 3, dtype=torch.float64)
    matrix = (matrix * torch.det(matrix).sign()[:, None, None]).requires_grad_(True)
    assert torch.autograd.gradcheck(geometry.nearest_rotation, (matrix,), atol=1e-6)


def test_the_gradient_survives_equal_singular_values():
    matrix = torch.eye(3)[None].clone().requires_grad_(True)
    geometry.nearest_rotation(matrix)[0, 0, 1].backward()
    assert torch.isfinite(matrix.grad).all()
    assert matrix.grad.abs().max() == pytest.approx(0.5)


@pytest.mark.parametrize("angles", [(0, 0, 0), (30, -10, 5), (-60, 20, -40)])
def test_a_similarity_transform_is_recovered(angles):
    points = cloud()
    turn = rotation(*angles).double()
    moved = 1.7 * points @ turn[0].T + torch.tensor([3.0, -2.0, 40.0], dtype=torch.float64)
    weights = torch.rand(len(points), dtype=torch.float64)
    scale, found, translation = geometry.similarity(points, moved[None], weights)
    assert scale.item() == pytest.approx(1.7)
    assert torch.allclose(found, turn, atol=1e-6)
    assert translation[0].tolist() == pytest.approx([3, -2, 40], abs=1e-5)


@pytest.mark.parametrize(
    ("angles", "nose"), [((20, 0, 0), (1, 0)), ((0, 20, 0), (0, 1)), ((-20, 0, 0), (-1, 0))]
)
def test_the_nose_points_where_the_signs_say(angles, nose):
    turned = rotation(*angles)[0] @ torch.tensor([0.0, 0.0, 1.0])
    assert turned[:2].tolist() == pytest.approx([0.342 * nose[0], 0.342 * nose[1]], abs=1e-3)


@pytest.mark.parametrize("angles", [(0, 0, 0), (25, 0, 0), (0, -15, 0), (0, 0, 30), (40, 10, -20)])
def test_head_angles_undo_the_turn(angles):
    yaw, pitch, roll = geometry.head_angles(rotation(*angles))[0].tolist()
    assert [yaw, pitch, roll] == pytest.approx(angles, abs=1e-3)


@pytest.mark.parametrize("angles", [(0, 0, 0), (20, 0, 0), (0, -15, 0), (-25, 10, 8)])
def test_the_pose_of_a_face_seen_by_the_assumed_camera_is_recovered(angles):
    points = cloud(3, 200)
    points = points - points.mean(0)
    size, distance = (480, 640), 300.0
    placed = points @ rotation(*angles)[0].double().T + torch.tensor([10.0, 5.0, -distance])
    focal = size[0] / (2 * math.tan(math.radians(63 / 2)))
    x = size[1] / 2 + focal * placed[:, 0] / -placed[:, 2]
    y = size[0] / 2 - focal * placed[:, 1] / -placed[:, 2]
    depth = focal * (-placed[:, 2] - distance) / distance  # what the networks give as z
    landmarks = torch.stack([x, y, depth], -1)[None]
    weights = torch.ones(len(points), dtype=torch.float64)
    face = geometry.metric_face(landmarks, size, points, weights)
    assert geometry.head_angles(face.rotation)[0].tolist() == pytest.approx(angles, abs=0.6)
    assert torch.allclose(face.aligned[0], points, atol=0.6)
    assert face.transform[0, :3, 3].tolist() == pytest.approx([10, 5, -distance], rel=0.03)


def seen(angles: tuple[float, float, float], size: tuple[int, int]) -> tuple:
    """A cloud in the middle of a picture as the networks measure it, its points and weights."""
    points = cloud(3, 200)
    points = points - points.mean(0)
    placed = points @ rotation(*angles)[0].double().T + torch.tensor([0.0, 0.0, -200.0])
    focal = size[0] / (2 * math.tan(math.radians(63 / 2)))
    x = size[1] / 2 + focal * placed[:, 0] / -placed[:, 2]
    y = size[0] / 2 - focal * placed[:, 1] / -placed[:, 2]
    depth = focal * (-placed[:, 2] - 200) / 200
    return torch.stack([x, y, depth], -1)[None], points, torch.ones(len(points)).double()


@pytest.mark.parametrize("angles", [(0, 0, 0), (20, 0, 0), (0, -15, 0), (-25, 10, 8)])
@pytest.mark.parametrize("shift", [(500, 0), (-500, 0), (0, 300), (-400, -250)])
@pytest.mark.parametrize("scale", [1.0, 0.2, 3.0])
def test_angles_depend_on_neither_place_nor_size(angles, shift, scale):
    landmarks, points, weights = seen(angles, (720, 1280))
    there = scale * (landmarks + torch.tensor([*shift, 0.0]).double())
    expected = geometry.facing_angles(landmarks, points, weights)[0].tolist()
    assert geometry.facing_angles(there, points, weights)[0].tolist() == pytest.approx(
        expected, abs=1e-6
    )
    camera = geometry.metric_face(there, (720, 1280), points, weights).rotation
    moved = max(map(abs, shift)) > 300
    turned = (geometry.head_angles(camera)[0] - torch.tensor(expected)).abs().max() > 4
    assert turned or not moved or scale != 1.0, "the camera of the whole picture sees it turned"
