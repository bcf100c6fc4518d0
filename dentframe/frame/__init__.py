"""From decoded answers to the frame of a read, and the ways to select and reshape it."""
