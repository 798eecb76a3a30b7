# SPDX-License-Identifier: GPL-3.0-or-later
"""Render to Sequencer: files of a shot and the strip that shows them."""
