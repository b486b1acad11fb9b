"""Language models: remote, embedded, scripted, and the routes to them."""
