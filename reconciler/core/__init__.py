"""What is wanted, what is there, what to do and what to say. Pure: no clock, file, socket, logger, randomness."""
