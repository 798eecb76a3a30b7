"""Submit to Farm in a real window: the button, what its dialog asks, and the job that it writes."""

from __future__ import annotations

import json

import pytest
from session import WindowSession
from steps import SIDEBAR, default_button, show_sidebar

pytestmark = pytest.mark.timeout(1500)


def test_submit_to_farm_asks_and_writes_a_job(blender: WindowSession) -> None:
    folder = blender.run / "farm"  # beside the .blend file
    blender.ask('bpy.context.scene.render.engine = "PHOTORIG"')
    blender.wait_for("module('link.link').link.is_ready", 300, "the worker is ready")
    show_sidebar(blender, "Photorig")
    before = blender.screenshot("farm-before")
    blender.press(*SIDEBAR, "photorig.submit_to_farm")
    blender.click(*default_button(blender, before, "farm"))
    blender.wait_for(
        f"__import__('os').path.exists({str(folder / 'template.json')!r})", 60, "a job"
    )
    template = json.loads((folder / "template.json").read_text())
    first, last = blender.ask("s = bpy.context.scene; answer = [s.frame_start, s.frame_end]")
    values = {each["name"]: each["default"] for each in template["parameterDefinitions"]}
    assert values["Frames"] == f"{first}-{last}"
    expected = json.loads((folder / "expected.json").read_text())["facts"]
    assert expected["extension"] and expected["generator"] and expected["portraits"]
