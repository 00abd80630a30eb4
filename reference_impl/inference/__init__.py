"""Running a trained model: the fastest way this machine has, the key-value cache, and rows that branch as a tree."""
