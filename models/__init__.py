"""Model cards (one TOML file a model) and the project's own trained weights (safetensors).

There is no code here: ``photorig.worker.registry`` reads the cards.
"""
