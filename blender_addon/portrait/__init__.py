# SPDX-License-Identifier: GPL-3.0-or-later
"""A camera's portrait: fitted, chosen, shown as a thumbnail."""
