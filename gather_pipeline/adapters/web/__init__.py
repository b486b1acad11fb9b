"""Services on the web that take JSON and answer JSON."""
