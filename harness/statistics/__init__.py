"""Pure functions on arrays: estimates with their intervals. No I/O, no torch, and it knows nobody else in the house."""
