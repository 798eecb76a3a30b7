# SPDX-License-Identifier: GPL-3.0-or-later
"""The rigged head: built, made like a portrait, and the job that asks for its measure."""
