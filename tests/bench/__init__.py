"""How fast the program is, beside floors and peers: `python -m tests.bench`.

It makes its own fleets and its own server, and prints one table. A row is a line in `rows` and a small function.
Nothing in here is a test: a figure depends on the machine, so only wide limits on ratios are ever checked (`--check`).
"""
