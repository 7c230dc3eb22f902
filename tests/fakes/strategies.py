"""What hostile people and broken servers send, as hypothesis strategies: manifests, JSON values, jobs, headers."""

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from reconciler.core.job import Marks
from tests.fakes.manifests import as_yaml

MANIFEST = Path(__file__).parent.parent.parent / "examples" / "03-fleet" / "quiz.yaml"

# ── manifests ────────────────────────────────────────────────────────────────────────────────

yaml_bits = st.sampled_from(
    [
        "a",
        ": ",
        "- ",
        "\n",
        "  ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "&x ",
        "*x",
        "!t ",
        "|",
        ">",
        "'",
        '"',
        "#",
        "?",
        "%",
        "@",
        "---\n",
        "...\n",
        "<<",
        "\t",
        "1",
        "~",
        "\\",
        "\x85",
        "\u2028",
        "é",
        "\ufeff",
        "\r",
        "\x00",
    ]
)
yaml_like = st.lists(yaml_bits, max_size=25).map("".join)

# Values that YAML reads in a way that somebody did not expect.
traps = st.sampled_from(
    [
        "no",
        "~",
        "",
        "0o17",
        "0x1F",
        "-0",
        "1e999",
        "-1e-999",
        ".nan",
        ".inf",
        "9" * 19,
        "9" * 5000,
        "1e300",
        "2026-11-25",
        "[]",
        "{}",
        "[[]]",
        "{a: {}}",
        "!!int 1",
        "&a 1",
        "*a",
        "<<",
        '"\\0"',
        '"\\ud800"',
        '"\\e[2J"',
        '"\\u202e"',
        '"../../etc/passwd"',
        "/dev/zero",
        '"%2e%2e"',
        '"' + "x" * 5000 + '"',
        "٣",
        "1_000",
        "12:30:45",
        "=",
        "|\n  x",
    ]
)
_FIELDS = ["model", "training_file", "validation_file", "suffix", "seed", "method", "hyperparameters", "integrations"]
_FIELDS += ["metadata", "model_from", "extra_body", "rerun", "policy", "provider", "limits", "expect", "prune", "state"]


def _document(kind: str, name: str, spec: dict[str, str]) -> str:
    lines = "".join(f"  {key}: {value}\n" for key, value in spec.items())
    return as_yaml(kind, name, f"\n{lines}".removesuffix("\n"))


# A fleet and two jobs, each with fields that were changed into a trap.
trapped_streams = st.builds(
    lambda fleet, names, first, second: "---\n".join(
        [
            _document("Fleet", "f", {"provider": "sandbox", **fleet}),
            _document("FineTuningJob", names[0], {"model": "m", "training_file": "file-1", **first}),
            _document("FineTuningJob", names[1], {"model": "m", "training_file": "file-1", **second}),
        ]
    ).encode(),
    st.dictionaries(st.sampled_from(_FIELDS), traps, max_size=2),
    st.tuples(st.just("a") | traps, st.just("b") | traps),
    st.dictionaries(st.sampled_from(_FIELDS), traps, max_size=3),
    st.dictionaries(st.sampled_from(_FIELDS), traps, max_size=3),
)


@st.composite
def changed_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """``content`` with a few bytes changed."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
    return bytes(changed)


# ── answers ──────────────────────────────────────────────────────────────────────────────────

# Halves of surrogate pairs, escapes and bidirectional controls are text to JSON.
any_text = st.text(max_size=20) | st.sampled_from(
    ["\ud800", "\x1b[2J", "\u202e", "..", "a/b", "%2e%2e", "\0", "x" * 5000]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([10**400, 2**53, -1]) | any_text


def json_values(keys: list[str]) -> st.SearchStrategy[Any]:
    """Any JSON value; its objects often have one of ``keys``."""
    names = st.sampled_from(keys) | any_text
    return st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
        max_leaves=12,
    )


hostile = json_values(["id", "data", "has_more", "error", "message", "code", "status", "metadata", "bytes"])
bodies = (
    hostile.map(lambda value: json.dumps(value).encode())
    | hostile.map(lambda value: json.dumps(value).encode("utf-16"))
    | st.binary(max_size=200)
)
header_text = st.text(st.characters(min_codepoint=32, max_codepoint=255, blacklist_characters="\x7f"), max_size=30) | (
    st.sampled_from(["http://x:y/", "mailto:x", "http://[", "a" * 5000, "a=b; Path=/", "9" * 400, "-1", "nan"])
)
headers = st.dictionaries(
    st.sampled_from(
        ["retry-after", "retry-after-ms", "x-request-id", "content-encoding", "location", "content-type", "set-cookie"]
    ),
    header_text,
    max_size=3,
)
statuses = st.integers(200, 599) | st.sampled_from([200, 301, 302, 303, 307, 308, 401, 404, 429, 500, 999])

_MARKED = Marks("f", "a", "0" * 16, 1).as_metadata()
metadata = (
    st.just(_MARKED)
    | st.dictionaries(st.sampled_from(sorted(_MARKED)), scalars).map(lambda other: {**_MARKED, **other})
    | st.just({**_MARKED, "reconciler_fleet": "f-2"})
    | hostile
)
JOB_FIELDS = ["status", "created_at", "finished_at", "estimated_finish", "model", "fine_tuned_model", "trained_tokens"]
JOB_FIELDS += ["training_file", "seed", "error", "method", "hyperparameters"]
methods = json_values(["type", "dpo", "supervised", "hyperparameters", "n_epochs"])
words = st.sampled_from(["running", "succeeded", "failed", "cancelled", "queued"])
# Jobs that look like this fleet's, with a few fields that cannot be true.
jobs = st.builds(
    lambda job_id, status, marks, other: {"id": job_id, "status": status, "metadata": marks, **other},
    st.sampled_from(["ftjob-1", "ftjob-2", "..", "a/b", "%2e", "\x1b[2J", "x" * 600, ""]) | any_text,
    words,
    metadata,
    st.dictionaries(st.sampled_from(JOB_FIELDS), hostile | methods, max_size=3),
)
