"""Pure values and rules: standard library, pydantic and numpy only."""
