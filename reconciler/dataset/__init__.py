"""What training data holds, what breaks its rules, and what training on it costs: pure, between `source` and `core`."""
