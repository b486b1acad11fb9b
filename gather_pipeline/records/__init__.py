"""Typed repositories over the document store."""
