"""How good a department is."""
