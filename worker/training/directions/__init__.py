"""Training of the direction matrix: causes first (Jacobians), then gradients, then calibration.

people.py       who is trained and tested on, reproducible by seed
observation.py  latents → image → parameters, identity, background, differentiable
jacobian.py     closed-form start from Jacobians of many people
gradient.py     refinement through generator, landmarker and descriptor
calibration.py  amplitudes and responses, by measurement
command.py      ``photorig train directions``
"""
