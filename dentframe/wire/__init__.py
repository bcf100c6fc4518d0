"""What the service says: its topics, columns and units, and how its answers are decoded."""
