# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire as the extension speaks it: no bpy, no threads."""
