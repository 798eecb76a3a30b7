"""What is rendered and measured in an evaluation, and the cached results of it."""
