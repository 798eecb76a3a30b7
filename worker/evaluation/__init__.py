"""Measures how well a model bundle obeys, by judges that no training loss has seen.

``photorig evaluate`` renders people that nothing was chosen on, through the one way from parameters
to pixels (`photorig.worker.reenactment.renderer`), lets judges look at the frames, and writes the
figures as JSON and as a page to read. Definitions follow docs/evaluation/README.md.
"""
