# SPDX-License-Identifier: GPL-3.0-or-later
"""Render farms: writing a job, and what a node's Blender does with one."""
