"""Damaged messages on the live sockets, with real ones between: the server answers and goes on."""

from __future__ import annotations

import logging
import random
import sys
from pathlib import Path

import pytest
from fuzz_targets import GOLDEN, _parts
from mutations import Mutator

sys.path.insert(0, str(Path(__file__).parents[1] / "contract"))

from card_server import RunningServer, portrait_bytes
from test_hostile import Peer, frame_form

MESSAGES = 1500


def drain(peer: Peer) -> int:
    """Wait until all that was sent has been looked at; returns how many answers came."""
    count = 0
    peer.send("ping")
    while (answer := peer.receive(0.5)) is not None and answer.header.kind != "pong":
        count += 1
    return count


def test_whatever_comes_a_frame_is_a_frame(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mutator = Mutator([path.read_bytes() for path in sorted(GOLDEN.glob("*.bin"))], 3)
    choose, answers = random.Random(3), 0
    with caplog.at_level(logging.WARNING), RunningServer(tmp_path) as server:
        good = Peer(server.info)
        good.greet()
        portrait_id = good.upload(portrait_bytes(1))
        for number in range(MESSAGES):
            if number % 100 == 0:  # some damage costs a client its connection
                bad = [Peer(server.info, endpoint) for endpoint in ("control", "bulk")]
                session = f"{number:032x}"
                for peer in bad:
                    peer.greet(session)
                good.send("render", frame_form(portrait_id), frame=number)
                answer = good.receive()
                assert answer is not None
                assert (answer.header.kind, answer.header.frame) == ("frame", number)
            parts = _parts(mutator.next()) or [b""]
            choose.choice(bad).socket.send_multipart(parts)
            if number % 100 == 99:
                for peer in bad:
                    answers += drain(peer)
                    peer.close()
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert said == []
    assert answers > MESSAGES / 2, "most messages were not looked at"
