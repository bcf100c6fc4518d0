"""The kinds of charge, one class in one file each."""
