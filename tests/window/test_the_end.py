"""The end of a session: the worker is stopped, and nothing went wrong that nobody was told of."""

from __future__ import annotations

import re

import pytest
from session import WindowSession
from steps import SIDEBAR, show_sidebar

pytestmark = pytest.mark.timeout(600)

_FAILURE = r"(?m)^Traceback|^\w*Error: |EXCEPTION_ACCESS|^\S+ +\S+ +\| ERROR"


def test_stop_worker_leaves_blender_usable(blender: WindowSession) -> None:
    show_sidebar(blender, "Photorig")
    blender.press(*SIDEBAR, "photorig.stop_worker")
    blender.wait_for("not module('link.link').link.is_ready", 60, "the worker has ended")
    assert blender.find_button(*SIDEBAR, "photorig.start_worker")


def test_blenders_console_holds_no_exception(session: WindowSession) -> None:
    console = session.console
    assert re.search(_FAILURE, console) is None, console
