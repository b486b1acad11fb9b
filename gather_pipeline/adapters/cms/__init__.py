"""The studio's content management system."""
