"""What a run leaves behind: records, samples, manifest and journal in its folder, and the machine they come from."""
