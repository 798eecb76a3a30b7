"""Render farms: what runs on their nodes beside Blender, and jobs that need no Blender."""
