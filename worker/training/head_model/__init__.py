"""Makes the rigged head of the extension and the data it is built from."""
