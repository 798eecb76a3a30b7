"""The simulation of a farm, against what can be worked out by hand."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scale"))

from farm_model import Farm, simulate
from pages import fill_page
from preview_model import Preview, simulate_preview

DOCS = Path(__file__).resolve().parents[3] / "docs"
PLAIN = Farm(devices=10, frames=1000, frame_seconds=0.1, chunk_seconds=1.0)
"""100 chunks of 10 frames, each of a second: ten for each device."""


def test_the_page_tells_what_was_simulated_and_the_goal_is_reached(tmp_path: Path) -> None:
    told = json.loads((DOCS / "evaluation" / "scale" / "simulation.json").read_text("utf-8"))
    page = tmp_path / "scale.md"
    page.write_bytes((DOCS / "scale.md").read_bytes())
    fill_page(told, page)
    assert page.read_text("utf-8") == (DOCS / "scale.md").read_text("utf-8")
    assert told["bar"]["efficiency_at_100_devices_with_1_percent_failing"] >= told["bar"]["goal"]


def test_nothing_is_lost_where_nothing_goes_wrong() -> None:
    run = simulate(PLAIN)
    assert run.seconds == pytest.approx(10.0)
    assert run.efficiency == pytest.approx(1.0)
    assert run.first_frame_seconds == pytest.approx(0.1)
    assert run.delivered == 1000 and run.made_again == 0


def test_the_last_chunks_keep_some_devices_waiting() -> None:
    """101 chunks on ten devices are eleven rounds: ⌈M/N⌉·T."""
    run = simulate(replace(PLAIN, frames=1010))
    assert run.seconds == pytest.approx(11.0)
    assert run.efficiency == pytest.approx(10.1 / 11)


def test_loading_and_upload_come_before_the_first_frame() -> None:
    """Five nodes of two devices get it one after the other, each after 3 s more."""
    farm = replace(
        PLAIN,
        load_seconds=2.0,
        devices_a_node=2,
        portrait_bytes=3e6,
        link_bytes_a_second=1e6,
    )
    run = simulate(farm)
    assert run.first_frame_seconds == pytest.approx(3.0 + 0.1)
    # Devices begin after 3, 6, 9, 12 and 15 s: 100 chunks of a second end after 19 rounds.
    assert run.seconds == pytest.approx(19.0)
    assert simulate(replace(farm, link_bytes_a_second=math.inf)).seconds == pytest.approx(12.0)


def test_a_gateway_that_is_slower_than_its_devices_sets_the_pace() -> None:
    """Devices make 100 frames a second, the gateway passes on 50: n·g, after the first chunk."""
    run = simulate(replace(PLAIN, gateway_seconds=0.02))
    assert run.seconds == pytest.approx(1.0 + 1000 * 0.02, rel=0.01)
    assert run.gateway_busy > 0.94


def test_gateways_share_what_one_cannot_pass_on() -> None:
    one = simulate(replace(PLAIN, gateway_seconds=0.02))
    four = simulate(replace(PLAIN, gateway_seconds=0.02, gateways=4, devices=12, frames=1200))
    assert four.seconds < one.seconds / 1.8
    assert four.delivered == 1200


def test_a_device_that_never_comes_back_leaves_its_share_to_the_others() -> None:
    """Many short chunks, no notice: (1 − f) / (1 − f/2) for a share f that fails at any moment."""
    farm = Farm(
        devices=100,
        frames=100_000,
        frame_seconds=0.1,
        chunk_seconds=0.5,
        failing=0.2,
        notice_seconds=0.0,
    )
    run = simulate(farm)
    assert run.efficiency == pytest.approx(0.8 / 0.9, abs=0.004)
    assert run.delivered == farm.frames
    assert 0 < run.made_again <= 20 * farm.chunk_frames


def test_a_failure_at_a_known_moment_costs_what_it_costs() -> None:
    """One device of one: its chunk is lost, noticed after 3 s, and made again after a restart."""
    farm = Farm(1, 20, 0.1, 1.0, failing=1.0, notice_seconds=3.0, restart_seconds=5.0)
    run = simulate(farm, seed=1)
    lost = run.seconds - 2.0
    assert 5.0 < lost <= 5.0 + 1.0
    assert run.delivered == 20 and run.made_again == 10


def test_stragglers_cost_their_mean() -> None:
    """A device that straggles is at work; ten per cent that take four times as long are 1.3."""
    farm = Farm(20, 200_000, 0.05, 0.5, straggling=0.1, straggler_factor=4.0)
    run = simulate(farm)
    assert run.seconds == pytest.approx(1.3 * 200_000 * 0.05 / 20, rel=0.02)
    assert run.efficiency == pytest.approx(1.0, abs=0.01)


def test_the_same_seed_is_the_same_run() -> None:
    farm = replace(PLAIN, failing=0.3, straggling=0.2, straggler_factor=3.0, frames=5000)
    assert simulate(farm, 4) == simulate(farm, 4) != simulate(farm, 5)


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_a_plain_queue_waits_as_long_as_theory_says(load: float) -> None:
    """M/M/1: a request is answered after 1 / (μ − λ) on average."""
    service = 0.02
    preview = Preview(
        views=20,
        requests_a_second=load / service / 20,
        service_seconds=service,
        seconds=4000,
        latest_wins=False,
        is_random=True,
    )
    seen = simulate_preview(preview)
    assert seen.mean_seconds == pytest.approx(service / (1 - load), rel=0.06)
    assert seen.busy == pytest.approx(load, rel=0.03)


def test_with_latest_wins_a_full_device_goes_round_the_views() -> None:
    """Each view gets a picture every V·s, and none is older than a request and its making."""
    preview = Preview(views=20, service_seconds=0.02, requests_a_second=24, seconds=60)
    seen = simulate_preview(preview)
    assert seen.busy > 0.99
    assert seen.pictures_a_second == pytest.approx(1 / (20 * 0.02), rel=0.02)
    assert seen.p95_seconds <= 1 / 24 + 0.02 + 1e-9


def test_one_animator_alone_waits_for_the_picture_only() -> None:
    seen = simulate_preview(Preview(views=1, service_seconds=0.02))
    assert seen.median_seconds == pytest.approx(0.02)
    assert seen.pictures_a_second == pytest.approx(24, rel=0.03)
