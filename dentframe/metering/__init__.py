"""The package holds what verbs are made of: series, energy over time, blocks and figures."""
