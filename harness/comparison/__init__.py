"""Two runs side by side, and what a suite expects. Knows no model."""
