"""StyleGAN2 in plain torch, any width, 64² to 1024²; from what `photorig models import` wrote.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020, in its skip
architecture: configurations E and F, and the narrower networks for 256².
"""
