"""The one place that reads language: sentences, words, numbers, names, the language of a text, and what may not be shown."""
