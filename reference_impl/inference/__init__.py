"""Running a trained model: the key-value cache, generation, and weights stored as integers."""
