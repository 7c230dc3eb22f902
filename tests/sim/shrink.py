"""A violation, with as few faults as still show it."""

from collections.abc import Callable

from tests.sim.story import Ending, play
from tests.sim.world import REAL, Program

_TRIES = 300


def shrunk(ending: Ending, *, program: Program = REAL) -> tuple[Ending, frozenset[int]]:
    """Leave out faults, and what people do, as long as the same oracle still objects; and what was left out."""
    wanted = {oracle for oracle, _ in ending.violations}

    def still(without: frozenset[int]) -> Ending | None:
        again = play(ending.seed, program=program, without=without)
        return again if wanted & {oracle for oracle, _ in again.violations} else None

    without = _fewer(ending, still)
    return play(ending.seed, program=program, without=without, trace=True), without


def _fewer(ending: Ending, still: Callable[[frozenset[int]], Ending | None]) -> frozenset[int]:
    """Halves, then quarters, then single ones; what struck is asked anew, since leaving one out moves the others."""
    without: frozenset[int] = frozenset()
    struck = [number for number, _, _ in ending.struck]
    tries, size = 0, max(1, len(struck) // 2)
    while tries < _TRIES:
        fewer = None
        for start in range(0, len(struck), size):
            tries += 1
            fewer = still(without | set(struck[start : start + size]))
            if fewer is not None:
                without |= set(struck[start : start + size])
                struck = [number for number, _, _ in fewer.struck]
                break
        if fewer is None:
            if size == 1:
                break
            size = max(1, size // 2)
    return without


def in_words(ending: Ending, without: frozenset[int]) -> str:
    """The trace in words, what is wrong, and the command that replays it."""
    left_out = f" --without {','.join(str(n) for n in sorted(without))}" if without else ""
    lines = [line for line in ending.trace if not any(word in line for word in _NOISE)]
    wrong = [f"{oracle}: {text}" for oracle, text in ending.violations]
    return "\n".join([*lines, *wrong, f"python -m tests.sim --from {ending.seed} --seeds 1{left_out} --trace"])


# Lines of a trace that seldom matter.
_NOISE = ("   journal written", "   status of ", "   file.", "   create.recorded", "   job.event")
