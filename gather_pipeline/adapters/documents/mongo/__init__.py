"""MongoDB body of the document store."""
