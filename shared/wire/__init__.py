"""What crosses between Blender and worker: framing, messages, connection."""
