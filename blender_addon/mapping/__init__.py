# SPDX-License-Identifier: GPL-3.0-or-later
"""From a rig to the parameters: what it offers, presets, drivers, keyframes."""
