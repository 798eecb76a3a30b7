# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeing the face while posing: rendered viewports, the overlay, the preview image.

    handlers ─ live.follow → follower.Follower (what is wanted, what is shown) ← frame_cache
    timer    ─ live.tick   → client.previews ─ZeroMQ→ worker
    drawing  ─ overlay, rendered_view → textures → shapes

Files that say "No bpy" hold the decisions and are tested without Blender.
"""

from __future__ import annotations
