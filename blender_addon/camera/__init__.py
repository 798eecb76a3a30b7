# SPDX-License-Identifier: GPL-3.0-or-later
"""What a .blend file remembers: a camera's portrait, parameters and mapping rows."""
