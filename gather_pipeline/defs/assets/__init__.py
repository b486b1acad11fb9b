"""Assets, one module each."""
