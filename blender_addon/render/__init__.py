# SPDX-License-Identifier: GPL-3.0-or-later
"""What surrounds a render: colours, settings for exact pixels, provenance of written files."""
