"""One file per measure: what it asks of a model (`collect`) and what it makes of the evidence (`summarize`)."""
