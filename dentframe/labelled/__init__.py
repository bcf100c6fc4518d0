"""Frames as labelled Datasets and back, for xarray. Pure: nothing here reads or writes a file."""
