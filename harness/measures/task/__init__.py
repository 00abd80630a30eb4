"""The measure `task`: documents asked, answers judged, scores summed up."""
