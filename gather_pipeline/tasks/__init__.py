"""The task engine: a task is data, one runner executes it (S004)."""
