"""What outlives a process, in the state directory: the journal, its locks and seal, and the status files."""
