"""A law fitted to points, how sure it is, and what it predicts."""
