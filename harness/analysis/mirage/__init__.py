"""Whether a jump belongs to the model or to the metric: the same answers, judged several ways."""
