# SPDX-License-Identifier: GPL-3.0-or-later
"""The one owner of worker process and connection, and the jobs that run over it."""
