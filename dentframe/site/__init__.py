"""A site: its elements, their ratings, and who holds them when."""
