"""The package has the functions behind ``df.dent``, one file a verb."""
