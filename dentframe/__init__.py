"""DENT PowerScout sub-meters, from the DentCloud Meter Data API, as pandas and xarray."""
