"""What people do to items."""
