"""The table of face shapes: handles that pull at the skin, a yardstick, the file."""
