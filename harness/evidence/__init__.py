"""Reading what runs left behind: records and samples, selected, paired and put in relation."""
