"""The package knows what the service says: topics, columns, units, and how answers are decoded."""
