"""SQLite body of the document store."""
