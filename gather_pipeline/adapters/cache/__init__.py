"""Bodies of the port `Cache`."""
