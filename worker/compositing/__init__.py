"""From the generator's picture to the frame: moved to the mesh, layered, put back."""
