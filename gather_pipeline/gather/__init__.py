"""The gather loop of seed S001: generate, remove duplicates, score, until a department is good enough."""
