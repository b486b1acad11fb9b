"""How alike two texts are, and which of them are duplicates."""
