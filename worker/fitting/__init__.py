"""From photos to a portrait: the face chosen, aligned, encoded, inverted, tuned."""
