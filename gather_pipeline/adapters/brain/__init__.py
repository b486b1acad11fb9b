"""Memory asked by meaning."""
