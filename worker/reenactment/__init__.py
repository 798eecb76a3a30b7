"""From (portrait, parameters) to a frame: model bundle, methods, renderer, encoder."""
