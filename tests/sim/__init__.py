"""The real program in a simulated world: one seed decides every fault, crash, delay and interleaving.

`python -m tests.sim --seeds 1000` explores; what docs/safety.md promises is what `oracles` checks.
The pass, the journal, the gates, the reading of the directory and the status files are production
code; the provider, the clock, the lock and the disk under the journal are made here.
"""
