"""All that speaks to the service: windows, wire, credentials, pace, retry, cache, client."""
