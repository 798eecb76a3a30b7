"""Method ``stylespace``: a face in 35 numbers.

Oorloff and Yacoob, "Encode-in-Style: Latent-based Video Encoding using StyleGAN2", 2023: yaw, pitch
and roll of the head, and how far each of 32 single factors of StyleSpace is moved, chosen by how
locally they move the face (``photorig train stylespace``).
"""

from __future__ import annotations

MODEL = "stylespace"
WEIGHTS_FILE = "stylespace.safetensors"
