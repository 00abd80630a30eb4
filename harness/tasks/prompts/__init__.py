"""A document becomes what a model is asked."""
