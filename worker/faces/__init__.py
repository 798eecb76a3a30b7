"""Faces in pictures: where they are, which pose and expression they show, who they are."""
