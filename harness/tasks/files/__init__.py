"""Task files: read, found by name, and put together to groups."""
