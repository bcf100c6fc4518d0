"""The package makes the frame of a read from decoded answers, and selects and reshapes it."""
