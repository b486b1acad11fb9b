"""The only importers of engines; one module an engine, each a body of a port."""
