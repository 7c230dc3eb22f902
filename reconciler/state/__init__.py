"""What outlives a process, in the state directory: the journal, its seal, the locks, and the status files."""
