"""The analyses of a suite that fit laws to its records."""
