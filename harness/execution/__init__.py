"""From cells to records: resolving models, planning, running in isolated workers, resuming, caching."""
