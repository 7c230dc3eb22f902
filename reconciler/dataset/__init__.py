"""What training data holds, and what training on it costs: pure, between `source` and `core`."""
