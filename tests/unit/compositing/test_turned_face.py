"""Heads turn in the photo's own pixels: what goes where, what is believed, what stays."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from photorig.worker.compositing.face_move import FaceMove
from photorig.worker.compositing.head_mesh import LOW, PITCH
from photorig.worker.compositing.head_motion import HeadMotion
from photorig.worker.compositing.head_place import in_window
from photorig.worker.compositing.moved_head import HeadWays
from photorig.worker.compositing.rest_head import RestHead, Scene
from photorig.worker.compositing.turned_face import (
    Drawn,
    Turn,
    draw_turned,
    split_motion,
    turned_matte,
    turned_share,
)
from photorig.worker.compositing.turned_mesh import (
    HeadFields,
    HeadTurn,
    fields,
    head_turn,
    turn_degrees,
)
from photorig.worker.faces.face_topology import FACE_BORDER, N_VERTICES
from photorig.worker.portraits.alignment import Alignment
from photorig.worker.reenactment.face_target import lid_edges

from ..face_fakes import SCALE, face, place, rotation, turned_move
from ..fakes import tiny_portrait
from ..stage_fakes import tiny_stage

pytestmark = pytest.mark.weights("face-landmarker")

NOSE, CHIN, RIGHT_TEMPLE, LEFT_TEMPLE, BROW = 4, 152, 127, 356, 105
N = len(FACE_BORDER)
SIDE = 200
ALIGNMENT = Alignment.upright(SIDE)


def turned(rest: float, yaw: float, target: np.ndarray | None = None) -> HeadTurn:
    return head_turn(turned_move(rest, yaw, target), place(), HeadMotion())


def at(values: np.ndarray, point: np.ndarray) -> np.ndarray:
    """What a raster holds at a point of the square."""
    column, row = ((point - LOW) * PITCH).astype(int)
    return np.asarray(values[row, column])


def ring(head: np.ndarray, number: int, border: int) -> np.ndarray:
    return np.asarray(head[N_VERTICES + number * N + FACE_BORDER.index(border)])


def test_a_head_that_is_not_turned_stays_where_it_is() -> None:
    head = turned(5, 5)
    np.testing.assert_allclose(head.turned, head.rest, atol=1e-9)
    found = fields(head)
    assert np.abs(found.back).max() < 1e-6
    assert found.beyond.max() == 0


def test_a_small_turn_is_a_small_motion() -> None:
    large, small = (np.abs(fields(turned(0, yaw)).back).max() for yaw in (1.0, 0.01))
    assert small < 0.02 * large


def test_the_degrees_are_those_between_two_poses() -> None:
    assert turn_degrees(turned_move(-10, 15)) == pytest.approx(25, abs=0.5)
    assert turned_share(turned_move(3, 3)) == 0
    assert turned_share(turned_move(0, 12)) == 1


def test_the_face_turns_with_its_skull_and_the_shoulders_stay() -> None:
    head = turned(0, 20)
    ways = (head.turned - head.rest) / SCALE
    assert ways[NOSE, 0] == pytest.approx(10.5 * np.sin(np.radians(20)), abs=0.6)
    assert ways[CHIN, 0] > 1.5
    np.testing.assert_allclose(ring(ways, 3, CHIN), 0, atol=1e-9)
    # Hair is further back than the face: on the side that comes into view it spreads.
    spread = [
        np.linalg.norm(ring(points, 2, RIGHT_TEMPLE) - points[RIGHT_TEMPLE])
        for points in (head.rest, head.turned)
    ]
    narrowed = [
        np.linalg.norm(ring(points, 2, LEFT_TEMPLE) - points[LEFT_TEMPLE])
        for points in (head.rest, head.turned)
    ]
    assert spread[1] > 1.1 * spread[0]
    assert narrowed[1] < 0.8 * narrowed[0]


def test_features_keep_the_shape_that_the_person_has() -> None:
    posed = face(15)
    drifted = posed.copy()
    drifted[[13, 14], 1] += 0.5 * SCALE  # the generator's lips are half a centimetre lower
    move = FaceMove(face(0), drifted, drifted, SCALE, True, (), drifted)
    head = head_turn(move, place(), HeadMotion())
    lips = (head.turned[[13, 14], 1] - posed[[13, 14], 1]) / SCALE
    assert np.abs(lips).max() < 0.2
    np.testing.assert_allclose(head.drawn[[13, 14]], drifted[[13, 14], :2], atol=1e-9)


def test_what_is_stretched_or_was_hidden_is_not_believed() -> None:
    still, aside = turned(0, 15), turned(-40, -10)
    assert at(fields(still).trust, still.turned[[4, 33, 263]].mean(0)) > 0.95
    hidden = aside.turned[[93, 127, 34]].mean(0)  # the cheek that looked away from the camera
    assert at(fields(aside).trust, hidden) < 0.3
    assert fields(aside).beyond.max() > 0.5
    assert fields(still).beyond.max() < 0.05


def test_a_mouth_that_opens_is_the_generators() -> None:
    lower = dict.fromkeys((14, 87, 178, 317, 402, 88, 318), (0.0, 0.6))
    head = turned(0, 15, face(15, lower))
    opened = head.turned[[13, 14]].mean(0)
    assert at(fields(head).trust, opened) < 0.2
    closed = turned(0, 15)
    assert at(fields(closed).trust, closed.turned[[13, 14]].mean(0)) > 0.9


def test_an_eye_that_closes_is_the_generators() -> None:
    upper, under = lid_edges("Right")
    posed = face(15)
    gaps = (posed[under, 1] - posed[upper, 1]) / SCALE
    shut = {int(v): (0.0, 0.9 * gap) for v, gap in zip(upper[1:-1], gaps[1:-1], strict=True)}
    head = turned(0, 15, face(15, shut))
    assert at(fields(head).trust, head.turned[upper[4]]) < 0.3
    other = lid_edges("Left")[0]
    assert at(fields(head).trust, head.turned[other[4]]) > 0.9


def test_what_is_kept_of_an_eye_is_seen_where_the_generators_picture_has_it() -> None:
    head = turned(0, 15)
    eye = head.drawn[list(lid_edges("Right")[0])].mean(0)
    covered = np.zeros((100, 100), np.float32)
    column, row = (100 * eye).astype(int)
    covered[row - 3 : row + 3, column - 3 : column + 3] = 1
    there = head.turned[list(lid_edges("Right")[0])].mean(0)
    assert at(fields(head).trust, there) > 0.9
    assert at(fields(head, covered).trust, there) < 0.1
    assert at(fields(head, covered).of_skin, there) < 0.1, "nor is the photo's skin drawn over it"
    other = head.turned[list(lid_edges("Left")[0])].mean(0)
    assert at(fields(head, covered).trust, other) > 0.9


def test_a_little_roll_goes_along_and_what_only_the_generator_does_is_not_taken_back() -> None:
    along, left = split_motion(HeadMotion(roll=-1.0, x=1.0, lead=(1.5, -0.5)), tilt=3.0)
    assert along == HeadMotion(roll=2.0)
    assert left == HeadMotion(x=1.0)
    _, more = split_motion(HeadMotion(roll=-20.0), tilt=0.0)
    assert more.roll == -17.0


def test_a_head_turns_on_its_neck_however_the_generator_leads_its_face() -> None:
    move = turned_move(0, 10)
    led, unled = (head_turn(move, place(), HeadMotion(lead=lead)) for lead in ((1.0, 0.0), (0, 0)))
    np.testing.assert_array_equal(led.turned, unled.turned)


@pytest.mark.parametrize("generators", [0.0, 8.0, 25.0])
def test_a_head_turns_as_far_as_is_asked_whatever_the_generator_draws(generators: float) -> None:
    move = replace(turned_move(0, generators), rotation=rotation(20))
    head, alike = head_turn(move, place(), HeadMotion()), turned(0, 20)
    np.testing.assert_allclose(head.turned, alike.turned, atol=1e-9)
    inner = [NOSE, 33, 263]
    np.testing.assert_allclose(head.drawn[inner], move.target[inner, :2], atol=1e-9)
    assert turn_degrees(move) == pytest.approx(20)


def test_skin_is_looked_for_a_little_inside_of_the_border_that_the_generator_has_drawn() -> None:
    move, border = turned_move(0, 20), list(FACE_BORDER)
    there, drawn = move.target[border, :2], turned(0, 20).drawn[border]
    middle = move.target[:N_VERTICES, :2].mean(0)
    inwards = np.linalg.norm(there - middle, axis=1) - np.linalg.norm(drawn - middle, axis=1)
    assert (inwards > 0).all()
    assert inwards.max() < 0.4 * SCALE


def test_hair_goes_on_where_the_generator_has_drawn_the_border() -> None:
    move, number = turned_move(0, 20), FACE_BORDER.index(RIGHT_TEMPLE)
    aside = move.target.copy()
    aside[list(FACE_BORDER), 0] -= 0.02
    near, far = (
        [ring(head.drawn, ring_number, FACE_BORDER[number])[0] for ring_number in (0, 4)]
        for head in (head_turn(move, place(), HeadMotion()), turned(0, 20, aside))
    )
    assert far[0] - near[0] == pytest.approx(-0.02 * (1 - 1.5 / 6), abs=0.004)
    assert far[1] - near[1] == pytest.approx(0, abs=0.004)


def test_only_hair_near_the_face_is_the_generators() -> None:
    found = fields(turned(35, -5))
    assert found.beyond.max() == pytest.approx(1, abs=0.01)
    seen_by_generator = found.near[found.beyond > 0.9]
    assert seen_by_generator.max() > 0.9, "beside the face"
    assert seen_by_generator.min() < 0.05, "far from it"


def test_a_photos_skin_is_believed_where_hair_on_the_face_is_not() -> None:
    head = turned(0, 25)
    more = (head.of_skin > 0.9) & (head.trust < 0.1)
    assert more.sum() > 10, "cheeks that are stretched far"
    assert (head.of_skin >= head.trust - 1e-6).all()
    assert head.aslant[more].mean() > 0.5, "the same triangles were seen aslant"
    assert turned(0, 0).aslant.max() == pytest.approx(0, abs=0.3), "nothing comes into view"


def test_a_frame_of_glasses_turns_with_the_head_and_follows_no_expression() -> None:
    still, smiling = face(20), face(20, {BROW: (0, -1.0)})
    move = replace(turned_move(0, 20, smiling), posed=still)
    head, alone = (
        head_turn(one, place(), HeadMotion()) for one in (move, replace(move, target=still))
    )
    everywhere, nowhere = np.ones((256, 256), np.float32), np.zeros((256, 256), np.float32)
    rigid, soft, wanted = (
        at(fields(one, frame=frame).back_face, alone.turned[BROW])
        for one, frame in ((head, everywhere), (head, nowhere), (alone, None))
    )
    assert np.linalg.norm(soft - wanted) > 0.01
    np.testing.assert_allclose(rigid, wanted, atol=0.002)


def test_what_comes_nearer_to_the_camera_is_seen_larger() -> None:
    head = turned(0, 20)

    def width(points: np.ndarray, one: int, other: int) -> float:
        return float(np.linalg.norm(points[one] - points[other]))

    right, left = (
        width(head.turned, *eye) / width(head.rest, *eye) for eye in ((33, 133), (263, 362))
    )
    flat = np.cos(np.radians(20))
    assert right > flat > left, "the subject's right eye comes nearer when the nose turns left"


def pictures() -> tuple[np.ndarray, np.ndarray]:
    """A photo (SIDE, SIDE, 3) with grain and the person's matte, an oval around the face."""
    grain = np.random.default_rng(3).standard_normal((SIDE, SIDE, 3))
    grain = cv2.GaussianBlur(grain, (0, 0), 2.0)
    photo = np.clip(128 + 40 * grain / grain.std(), 0, 255).astype(np.uint8)
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    away = np.hypot((x - 0.5) / 0.3, (y - 0.5) / 0.38)
    return photo, np.clip((1 - away) * 20 + 0.5, 0, 1).astype(np.float32)


def shown(move: FaceMove, left: HeadWays | None = None) -> tuple[np.ndarray, np.ndarray]:
    photo, matte = pictures()
    uncovered = (matte > 0).astype(np.float32)
    scene = Scene(photo, np.full_like(photo, 7), matte, uncovered, ALIGNMENT)
    head = RestHead.of(scene, move.rest)
    drawn = Drawn(np.full((64, 64, 3), 128, np.uint8), lambda: np.ones((64, 64), np.float32))
    turn, picture = Turn(move, place(), HeadMotion(), left), photo.copy()
    draw_turned(picture, 1.0, head, drawn, turn)
    return picture, turned_matte(head, drawn, turn)


def test_not_turned_the_picture_is_the_photo_bit_for_bit() -> None:
    picture, person = shown(turned_move(0, 0))
    photo, matte = pictures()
    np.testing.assert_array_equal(picture, photo)
    np.testing.assert_allclose(person, matte, atol=1e-5)


def test_the_background_stands_still_and_comes_into_view() -> None:
    picture, person = shown(turned_move(0, 20))
    photo, matte = pictures()
    nobody = (matte == 0) & (person == 0)
    assert nobody.mean() > 0.3
    np.testing.assert_array_equal(picture[nobody], photo[nobody])
    left = (matte == 1) & (person == 0)
    assert left.any()
    assert (picture[left] == 7).all(-1).mean() > 0.8
    assert np.abs(picture[matte == 1].astype(int) - photo[matte == 1]).mean() > 10


def test_a_turned_head_shows_the_photo() -> None:
    picture, _ = shown(turned_move(0, 15))
    photo, _ = pictures()
    head = turned(0, 15)
    nose, before = (np.rint(points[NOSE] * SIDE).astype(int) for points in (head.turned, head.rest))
    near, was = (p[1] + np.mgrid[-6:7, -6:7][0] for p in (nose, before))
    carried = picture[near, nose[0] + np.mgrid[-6:7, -6:7][1]].astype(float)
    there = photo[was, before[0] + np.mgrid[-6:7, -6:7][1]].astype(float)
    assert np.corrcoef(carried.ravel(), there.ravel())[0, 1] > 0.5


def test_a_turned_head_that_is_shifted_shows_the_same_elsewhere() -> None:
    x = 20.0
    still, _ = shown(turned_move(0, 15))
    in_photo = in_window(place(), ALIGNMENT, np.zeros(2))
    ways = HeadWays.of((SIDE, SIDE), in_photo, HeadMotion(x=x / in_photo.pixels_per_cm))
    aside, _ = shown(turned_move(0, 15), ways)
    rows, columns = slice(60, 110), slice(75, 125)  # of the face; around it the mesh is stretched
    moved = slice(columns.start + int(x), columns.stop + int(x))
    np.testing.assert_allclose(aside[rows, moved].astype(int), still[rows, columns], atol=2)


def test_a_little_share_is_a_little_of_it() -> None:
    photo, matte = pictures()
    move = turned_move(0, 15)
    head = RestHead.of(Scene(photo, photo, matte, matte, ALIGNMENT), move.rest)
    drawn = Drawn(photo, lambda: np.ones((64, 64), np.float32))
    turn, picture = Turn(move, place(), HeadMotion()), np.zeros_like(photo)
    draw_turned(picture, 0.25, head, drawn, turn)
    whole = np.zeros_like(photo)
    draw_turned(whole, 1.0, head, drawn, turn)
    np.testing.assert_allclose(picture.astype(int), 0.25 * whole, atol=1)


def test_fields_are_a_pure_function() -> None:
    first, second = (fields(turned(0, 12)) for _ in range(2))
    for name in HeadFields.__dataclass_fields__:
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()


def test_the_pass_of_a_turned_face_is_made_of_the_photos_pixels_too() -> None:
    portrait, black = tiny_portrait(size=SIDE), np.zeros((SIDE, SIDE, 3), np.uint8)
    white, stage = black + 255, tiny_stage()
    still, aside = (
        stage.face(portrait, white, lambda: black, turned_move(0, yaw)).mean() for yaw in (0, 12)
    )
    assert still > 230, "a generator's picture that nothing explains stays as it is"
    assert abs(aside - portrait.photo.mean()) < 25
