"""From what was measured to figures of control and drive, on faces that answer in known ways."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from photorig.shared.parameters.schema import FACE_SCHEMA
from photorig.worker.evaluation.metrics.agreement import agreements
from photorig.worker.evaluation.metrics.control import control_figures
from photorig.worker.evaluation.metrics.drive_figures import pair_figures
from photorig.worker.evaluation.metrics.identity import SamePerson
from photorig.worker.evaluation.protocols import drive, sweeps
from photorig.worker.reenactment.bundle import ModelBundle

from ..evaluation_fakes import FAMILY, N, person_result, readings, sweep_result
from ..fakes import tiny_bundle

PEOPLE = [person_result(i) for i in range(3)]


def bundle_of(*names: str) -> ModelBundle:
    """A bundle that controls these parameters only."""
    bundle = tiny_bundle()
    responses = tuple(
        response if name in names else replace(response, realised_by="none")
        for name, response in zip(FACE_SCHEMA.ids, bundle.responses, strict=True)
    )
    return replace(bundle, responses=responses)


BUNDLE = bundle_of("jawOpen", "headYaw")


def test_a_perfect_face_is_controllable_and_leaks_nothing() -> None:
    cached_results = [sweep_result(i, BUNDLE) for i in range(3)]
    figures = control_figures(BUNDLE, PEOPLE, cached_results, FAMILY)
    assert figures["controllable"] == ["headYaw", "jawOpen"]
    jaw = figures["parameters"]["jawOpen"]
    assert (jaw["gain"], jaw["linearity"], jaw["gain_spread"]) == pytest.approx((1, 1, 0))
    assert jaw["reached_range"] == pytest.approx([0, 0.5])
    assert figures["parameters"]["headYaw"]["reached_range"] == pytest.approx([-20, 20])
    assert jaw["people"] == 3
    assert figures["crosstalk"]["at_the_ends"]["mean"] == pytest.approx(0, abs=1e-6)


def test_a_cautious_judge_is_known_by_its_slope_on_people_that_nobody_drives() -> None:
    jaw = FACE_SCHEMA.index["jawOpen"]
    people = []
    for i in range(12):
        cached = person_result(i)
        cached["net3d.parameters"][:, jaw] = i / 12
        cached[f"{FAMILY}.parameters"][:, jaw] = 0.1 + 0.6 * i / 12
        people.append(cached)
    units = agreements(FACE_SCHEMA, people, FAMILY)
    assert units["jawOpen"].slope == pytest.approx(0.6, rel=1e-4)
    assert units["jawOpen"].is_sure
    assert not units["mouthPucker"].is_sure
    cached_results = [sweep_result(i, BUNDLE, gain=0.6) for i in range(3)]
    for cached in cached_results:
        cached[f"{FAMILY}.parameters"][:, jaw] += 0.1 + 0.6 * int(cached["person"]) / 12
    values = control_figures(BUNDLE, people, cached_results, FAMILY)["parameters"]["jawOpen"]
    assert (values["gain"], values["gain_in_own_units"]) == pytest.approx((0.6, 1.0), rel=1e-4)
    assert (values["controllable"], values["controllable_in_own_units"]) == (False, True)


def test_a_leak_is_found_named_and_measured_in_full_moves() -> None:
    cached_results = [sweep_result(i, BUNDLE, leak=0.4) for i in range(3)]
    crosstalk = control_figures(BUNDLE, PEOPLE, cached_results, FAMILY)["crosstalk"]
    assert crosstalk["at_the_ends"]["worst"] == pytest.approx(0.2)
    assert crosstalk["at_the_ends"]["worst_pair"] == ["jawOpen", "mouthPucker"]
    assert crosstalk["per_full_move"]["worst"] == pytest.approx(0.4)
    assert crosstalk["worst_pairs"][0]["full_moves"] == pytest.approx(0.2)


def test_a_face_that_does_half_is_not_controllable() -> None:
    cached_results = [sweep_result(i, BUNDLE, gain=0.5) for i in range(3)]
    figures = control_figures(BUNDLE, PEOPLE, cached_results, FAMILY)
    assert figures["controllable"] == []
    assert figures["parameters"]["jawOpen"]["gain"] == pytest.approx(0.5)


def test_people_who_answer_differently_are_not_in_proportion() -> None:
    cached_results = [sweep_result(i, BUNDLE, gain) for i, gain in enumerate((0.4, 1.0, 1.6))]
    jaw = control_figures(BUNDLE, PEOPLE, cached_results, FAMILY)["parameters"]["jawOpen"]
    assert jaw["gain"] == pytest.approx(1.0)
    assert jaw["linearity"] < 0.9 < jaw["linearity_of_each"]
    assert not jaw["controllable"]


def test_what_a_family_does_not_see_is_no_column() -> None:
    cached = sweep_result(0, BUNDLE)
    cached[f"{FAMILY}.parameters"][:, FACE_SCHEMA.index["mouthPucker"]] = np.nan
    columns = control_figures(BUNDLE, PEOPLE, [cached], FAMILY)["crosstalk"]["columns"]
    assert "mouthPucker" not in columns
    assert "mouthFunnel" in columns


def test_a_lost_face_is_counted() -> None:
    cached = sweep_result(0, BUNDLE)
    for name in cached:
        if name.startswith(f"{FAMILY}."):
            cached[name][3] = np.nan
    jaw = control_figures(BUNDLE, PEOPLE, [cached], FAMILY)["parameters"]["jawOpen"]
    assert jaw["no_face"] == 1
    assert jaw["count"] == 3


def test_identity_is_judged_against_pictures_of_the_same_person() -> None:
    same_person = SamePerson.of(PEOPLE, FAMILY)
    np.testing.assert_allclose(same_person.gap, 20)
    ceiling = same_person.ceiling(np.array([0.0, 22.5, 60.0]))
    np.testing.assert_allclose(ceiling, [0.96, 0.8, 0.8], atol=1e-6)
    kept = same_person.retention(np.array([0.48, np.nan]), np.zeros(2))
    assert kept == pytest.approx(0.5)


def test_a_wider_gap_is_never_easier_than_a_narrower_one() -> None:
    people = [person_result(i, mirror_cosine=0.99) for i in range(3)]
    ceiling = SamePerson.of(people, FAMILY).ceiling(np.linspace(0, 45, 10))
    assert (np.diff(ceiling) <= 0).all()


def test_a_sweep_keeps_to_the_room_that_a_face_has() -> None:
    bundle, jaw = tiny_bundle(limit=0.5), FACE_SCHEMA.index["jawOpen"]
    highest = bundle.responses[jaw].highest
    assert sweeps.level(bundle, jaw, 0.0, 1.0) == pytest.approx(highest)
    assert sweeps.level(bundle, jaw, 0.1, 0.5) == pytest.approx((highest - 0.1) / 2)
    assert np.isnan(sweeps.level(bundle, jaw, highest - 0.01, 1.0))


def test_every_parameter_gets_its_people_and_the_turns_are_shared() -> None:
    rest = np.zeros((40, N), np.float32)
    tasks = sweeps.sweep_tasks(tiny_bundle(), rest, people_each=8, head_people=16)
    turns = [name for task in tasks for name in task.details]
    assert turns.count("jawOpen") == 8
    assert turns.count("headYaw") == 16
    loads = [len(task.details) for task in tasks]
    assert max(loads) - min(loads) <= 1


def test_a_parameter_goes_to_people_who_do_not_show_it_already() -> None:
    smile = FACE_SCHEMA.index["mouthSmileLeft"]
    people = np.zeros((12, N), np.float32)
    people[:9, smile], people[9] = 0.45, np.nan
    tasks = sweeps.sweep_tasks(bundle_of("mouthSmileLeft"), people, people_each=8, head_people=8)
    assert [task.person for task in tasks] == [10, 11]


def parameters_of_people(count: int) -> np.ndarray:
    parameters = np.random.default_rng(3).uniform(0, 0.3, (count, N)).astype(np.float32)
    parameters[:, :3] = np.random.default_rng(4).uniform(-20, 20, (count, 3))
    return parameters


def test_pairs_are_drawn_by_seed_within_the_box_and_never_with_oneself() -> None:
    people = parameters_of_people(30)
    people[4] = np.nan
    tasks = drive.pair_tasks(FACE_SCHEMA, people, 100, seed=0)
    assert tasks == drive.pair_tasks(FACE_SCHEMA, people, 100, seed=0)
    assert tasks != drive.pair_tasks(FACE_SCHEMA, people, 100, seed=1)
    pairs = [(task.person, *entry) for task in tasks for entry in task.details]
    assert len(pairs) == 100
    for person, kind, target, values in pairs:
        assert 4 not in (person, target)
        assert (person != target) == (kind == drive.IMAGE)
        assert abs(values[0]) <= drive.YAW_LIMIT
        assert abs(values[1]) <= drive.PITCH_LIMIT
    kinds = [kind for _, kind, _, _ in pairs]
    assert [kinds.count(k) for k in (drive.IMAGE, drive.TURN, drive.ROLL)] == [40, 30, 30]


def pair_result(person: int, miss: float = 0.0) -> dict[str, np.ndarray]:
    """One picture as target and one drawn pose; the pose misses yaw by so many degrees."""
    source = PEOPLE[person]["parameters"]
    asked = np.stack([PEOPLE[1]["parameters"], source + np.eye(N)[0] * -25]).astype(np.float32)
    seen = asked.copy()
    seen[:, 0] += miss
    return {
        "person": np.array(person),
        "kind": np.array([drive.IMAGE, drive.TURN], np.int32),
        "target": np.array([1, person], np.int32),
        "asked": asked,
        "beyond": np.zeros(2, np.int32),
        "shift": np.ones(2, np.float32),
        **readings(seen),
    }


def test_a_face_that_goes_where_it_is_sent_has_no_error() -> None:
    figures = pair_figures(FACE_SCHEMA, PEOPLE, [pair_result(0), pair_result(2)], FAMILY)
    pose = figures["pose"]["all_upright"]
    assert pose["headYaw"]["mean"] == pytest.approx(0, abs=1e-4)
    assert pose["geodesic"]["count"] == 4
    assert figures["expression"]["error"] == pytest.approx(0, abs=1e-6)


def test_errors_of_pose_are_measured_where_the_target_is_and_not_where_the_photo_was() -> None:
    figures = pair_figures(FACE_SCHEMA, PEOPLE, [pair_result(0, miss=3.0)], FAMILY)
    yaw = figures["pose"]["all_upright"]["headYaw"]
    assert (yaw["mean"], yaw["bias"]) == pytest.approx((3.0, 3.0), abs=1e-4)
    assert figures["pose"]["drawn"]["headYaw"]["count"] == 1
    assert figures["untouched_pose"]["headYaw"]["mean"] == pytest.approx(0, abs=1e-4)


def test_identity_is_sorted_by_how_far_the_head_has_turned() -> None:
    figures = pair_figures(FACE_SCHEMA, PEOPLE, [pair_result(0)], FAMILY)
    counts = [step["count"] for step in figures["identity"]["all"]]
    assert counts == [1, 1, 0]
    assert figures["identity"]["all"][1]["retention"] == pytest.approx(1 / 0.8)
