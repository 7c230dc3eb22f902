"""Every job of an account, listed once: by the program, or by the official SDK; prints the CPU seconds.

`python -m tests.bench.listings ours|sdk DIR`, where `DIR` is a fleet directory, and OPENAI_BASE_URL says where the jobs
are. What it takes to import either, and to read the directory, is not counted: the SDK alone would need a second.
"""

import os
import sys
import time
from collections.abc import Callable, Sized
from pathlib import Path


def _ours(directory: str) -> tuple[Callable[[], Sized], Callable[[], object]]:
    from reconciler.cli.wiring import run_context
    from reconciler.settings import Settings
    from reconciler.source.directory import read_directory

    context = run_context(Settings(root=Path(directory)), read_directory(Path(directory)), writes=False)
    opened = context.__enter__()
    return opened.provider.list_jobs, lambda: context.__exit__(None, None, None)


def _sdk(directory: str) -> tuple[Callable[[], Sized], Callable[[], object]]:
    del directory
    from openai import OpenAI

    client = OpenAI()
    return lambda: list(client.fine_tuning.jobs.list(limit=100)), client.close


def main() -> None:
    who, directory = sys.argv[1:]
    listing, close = {"ours": _ours, "sdk": _sdk}[who](directory)
    began = time.process_time()
    found = listing()
    spent = time.process_time() - began
    close()
    expected = int(os.environ["OPENAI_BASE_URL"].split("/")[-2].split("-")[1])
    if len(found) != expected:
        sys.exit(f"{len(found)} jobs were listed, and there are {expected}")
    print(spent)


if __name__ == "__main__":
    main()
