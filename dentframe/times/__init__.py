"""The package reads instants and ranges, and cuts calendar periods on local clocks."""
