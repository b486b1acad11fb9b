"""What follows a change."""
