"""The commands of `tlm`, one module a family."""
