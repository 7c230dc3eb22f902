"""What runs: a pass, its writes, and `apply` and the daemon, which repeat it. It asks `core` what to do."""
