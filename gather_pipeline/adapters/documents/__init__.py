"""Document stores: what every body takes, and the two bodies."""
