"""Files from anywhere, read with limits; files of ours, written whole or not at all."""
