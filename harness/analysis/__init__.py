"""Records to findings: an analysis reads a run folder and draws numbers or sentences from many cells."""
