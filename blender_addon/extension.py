# SPDX-License-Identifier: GPL-3.0-or-later
"""What the extension is called: by Blender, by its manifest, by people who choose an engine."""

from __future__ import annotations

from pathlib import Path

PACKAGE = __package__
"""The name that Blender gave it; preferences and the extension's own folder go by it."""
FOLDER = Path(__file__).parent
VERSION = "0.1.0"
ENGINE = "PHOTORIG"
