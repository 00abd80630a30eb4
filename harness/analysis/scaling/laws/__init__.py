"""The laws that can be fitted, one file each, under one interface."""
