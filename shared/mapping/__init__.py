"""A rig's controls to parameters: names, rows, expressions, presets."""
