# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's version, the one of its manifest."""

VERSION = "0.1.0"
