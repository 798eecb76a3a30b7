"""Training of the encoder E_w: a photo of a face to W+ latents; `photorig train encoder`."""
