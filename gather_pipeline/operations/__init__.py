"""Keeping the whole at work: whether every service answers, and moving from one store to another."""
