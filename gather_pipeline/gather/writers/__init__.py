"""How the models write notes."""
