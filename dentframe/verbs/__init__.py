"""The functions behind ``df.dent``: one file a verb."""
