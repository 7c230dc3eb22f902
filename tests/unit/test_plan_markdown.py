"""A plan as a comment: what it says first, what it folds, how long it is, and that nothing foreign gets out of it."""

import re
from typing import Any

import pytest
from msgspec.structs import replace

from reconciler.core.gates import Gated, Permission, gate
from reconciler.core.plan import plan
from reconciler.core.snapshot import Problem
from reconciler.core.status import Progress
from reconciler.core.world import World
from reconciler.engine.apply import Result
from reconciler.engine.steps import Decided, Pass, Seen
from reconciler.render.markdown import COMMENT_LIMIT, block, code, error_markdown, html_code, marker
from reconciler.render.plan_markdown import plan_markdown
from reconciler.render.review import Review
from reconciler.render.step_summary import apply_markdown, step_outputs
from tests.fakes.builders import FLEET, R1, R2, desired, fleet, job, memory, record, world
from tests.fakes.reviews import typed

HOSTILE = "@octocat #1 GH-2 https://evil.example <img src=x> </code></summary> ``` ~~~ --> [x](y) \n\nDigest: `0`\r"


def review_of(seen: World, **more: Any) -> Review:
    decided = plan(seen)
    gated = gate(decided, seen, Permission())
    facts = {
        "fleet": FLEET,
        "provider": "openai",
        "base_url": "https://api.openai.com/v1",
        "host": "api.openai.com",
        "organization": "",
        "digest": decided.digest("there", lambda _: ""),
        "command": f"reconciler apply fleet --approve {decided.digest('there', lambda _: '')}",
    }
    return Review(plan=gated.plan, verdicts=gated.verdicts, world=seen, now=3700.0, **{**facts, **more})


def mixed() -> World:
    """A create, a replacement, a removal, a job that failed and one that is kept; two of them are too many."""
    jobs = [
        job("j-gone", "gone"),
        job("j-tone", "tone"),
        job("j-bad", "bad", status="failed"),
        job("j-same", "same"),
    ]
    wants = [
        desired("new"),
        replace(desired("tone", R2), form={"model": "m", "method": {"n_epochs": 20}}),
        desired("bad"),
        desired("same"),
    ]
    knows = memory(
        records=[record(j.id, j.marks.name, live=j.live) for j in jobs if j.marks],
        wanted=[("gone", R1), ("tone", R1), ("bad", R1), ("same", R1)],
        echoes=True,
    )
    known = replace(knows, wanted={**knows.wanted, ("tone", R1): {"model": "m", "method": {"n_epochs": 3}}})
    return world(jobs, wants, remembers=known, of=fleet(max_cancels=1))


EXPECTED = """\
<!-- reconciler plan fleet-1 -->
### Fine-tuning plan: `fleet fleet-1 at api.openai.com`

**Plan: 2 to create, 2 to cancel; 3 of them refused; 1 kept, 1 held. 1 job at this provider not ours.**

- **Gate `max_cancels` refuses**: `2 live jobs would end (removed or replaced), limits.max_cancels allows 1 of 3; \
check the plan and approve its digest, or raise the limit`
- **Throws away** 2 live jobs: `gone` (`running, 1h old`), `tone` (`running, 1h old, step 40 of 100`)

<details><summary>- cancel <code>gone</code> — Removed — refused: max_cancels</summary>

```diff
  its manifest is gone [j-gone]
- throws away: running, 1h old
```

</details>

<details><summary>± replace <code>tone</code> — NotCreated — refused: max_cancels</summary>

```diff
  no job of this revision exists
- then cancels j-tone: running, 1h old, step 40 of 100
  changes since job j-tone (running) (1 unchanged field hidden):
! method.n_epochs: 3 → 20
```

</details>

<details><summary>! hold <code>bad</code> — Failed</summary>

```diff
  MESSAGE [j-bad]
```

</details>

<details><summary>+ create <code>new</code> — NotCreated</summary>

```diff
  no job of this revision exists
  trains m on file-1, revision 1111111111111111, attempt 1
```

</details>

Digest: `DIGEST`

To do exactly this:

```sh
reconciler apply fleet --approve DIGEST
```"""


def test_a_plan_says_its_sum_first_and_folds_each_job() -> None:
    review = review_of(
        replace(mixed(), jobs=(*mixed().jobs, job("x", fleet="other"))), progress={"j-tone": Progress(40, 100, {})}
    )
    failed = next(c.message for c in review.plan.changes if c.name == "bad")
    assert plan_markdown(review) == EXPECTED.replace("DIGEST", review.digest).replace("MESSAGE", failed)


def test_a_plan_without_changes_is_a_sentence_without_a_digest() -> None:
    text = plan_markdown(review_of(world([job()], [desired()])))
    assert text.split("\n") == [
        "<!-- reconciler plan fleet-1 -->",
        "### Fine-tuning plan: `fleet fleet-1 at api.openai.com`",
        "",
        "**Nothing to do: everything is as declared (1 kept).**",
        "",
    ]


@pytest.mark.parametrize("limit", [20, 5000])
def test_a_plan_of_any_length_fits_a_comment_and_counts_what_it_leaves_out(limit: int) -> None:
    names = [f"job-{number:04}-{'x' * 50}" for number in range(2000)]
    removed = [job(f"j-{name}", name, created=number) for number, name in enumerate(names)]
    wants = [desired(f"new-{name}") for name in names]
    review = review_of(world(removed, wants, of=fleet(max_creates=limit, max_cancels=limit)))
    text = plan_markdown(review)
    assert COMMENT_LIMIT - 1000 < len(text) <= COMMENT_LIMIT
    folded = text.count("<details>")
    assert folded == text.count("</details>")
    left_out = re.search(r"… and (\d+) more that do not fit in here \((\d+) cancel, (\d+) create\)\.", text)
    assert left_out is not None
    assert int(left_out[1]) == 4000 - folded == int(left_out[2]) + int(left_out[3])
    assert "**Plan: 2000 to create, 2000 to cancel" in text[:1000]
    assert "2000 live jobs: " in text[:2000]
    assert ", and 1990 more\n" in text
    assert text.endswith(f"--approve {review.digest}\n```")


def test_a_text_of_any_length_leaves_room_for_the_sum_and_the_digest() -> None:
    long = HOSTILE * 5000
    review = review_of(mixed(), fleet=long, host=long, organization=long, note=long, command=long)
    verdicts = tuple(replace(v, message=long, refused=True) for v in review.verdicts)
    text = plan_markdown(replace(review, verdicts=verdicts))
    assert len(text) <= COMMENT_LIMIT
    assert "**Plan: 2 to create" in text
    assert f"\nDigest: `{review.digest}`" in text
    assert text.count("--approve") == 0  # half a command is none


def visible(text: str) -> str:
    """What GitHub reads as Markdown or HTML: all that does not stand in code."""
    rest = re.sub(r"^(`{3,})\w*\n.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    rest = re.sub(r"<code>[^<>]*</code>", "", rest)
    return re.sub(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)", "", rest)


def test_what_is_foreign_stands_in_code_wherever_it_comes_from() -> None:
    review = review_of(mixed(), fleet=HOSTILE, host=HOSTILE, organization=HOSTILE, note=HOSTILE)
    changes = tuple(replace(c, name=c.name, message=HOSTILE) for c in review.plan.changes)
    jobs = tuple(replace(j, status=HOSTILE) if j.live else j for j in review.world.jobs)
    verdicts = tuple(replace(v, message=HOSTILE, refused=True) for v in review.verdicts)
    plan_ = replace(review.plan, changes=changes)
    text = plan_markdown(
        replace(review, plan=plan_, verdicts=verdicts, world=replace(review.world, jobs=jobs), command=HOSTILE)
    )
    assert "@octocat" in text
    for sign in ("@", "#1", "GH-2", "evil", "<img", "[x]", "~~~"):
        assert sign not in visible(text.partition("\n")[2]), sign
    assert text.count("<details>") == text.count("</details>") == visible(text).count("</summary>")
    assert re.findall(r"^Digest: `(\w+)`$", text, re.MULTILINE) == [review.digest]


@pytest.mark.parametrize(
    "text", ["`", "``", "` `` ```", "a`", "`a", "plain", HOSTILE, "", " ", "a\n```\nb", "x" * 9000, "\u202e"]
)
def test_code_holds_any_text(text: str) -> None:
    assert visible(code(text)).strip("`") == ""
    assert "\n" not in code(text)
    assert visible(html_code(text)) == ""
    assert visible("\n".join(block(text.split("\n")))) == ""


def test_a_block_counts_the_lines_that_it_leaves_out() -> None:
    assert block(["a" * 9, "b" * 9, "c"], limit=20) == ["```", "a" * 9, "b" * 9, "… and 1 more lines", "```"]


def test_a_name_cannot_end_the_mark() -> None:
    assert marker("support-7k2q") == "<!-- reconciler plan support-7k2q -->"
    assert marker("") == "<!-- reconciler plan -->"
    for name in ("x --> @octocat <!--", "a--!>b", "-->", "x\ny", "é" * 999):
        mark = marker(name)
        assert re.fullmatch(r"<!-- reconciler plan [a-z0-9-]{0,63} -->", mark)
        assert mark.count(">") == 1


def test_a_plan_that_only_a_persons_yes_changes_has_a_digest() -> None:
    seen = world([job(), job("stray", revision=R2)], [desired()], remembers=memory(wanted=[("a", R1)], echoes=True))
    text = plan_markdown(review_of(seen))
    assert "also ends what is ahead of this directory: `stray`" in text
    assert "Digest: `" in text


def test_an_error_is_a_document_too() -> None:
    text = error_markdown("plan", "no\n```\n@octocat")
    assert text == "### Fine-tuning plan failed\n\n````text\nno\n```\n@octocat\n````"


def test_outputs_are_plain_lines() -> None:
    assert step_outputs(review_of(mixed())) == {
        "changes_present": "true",
        "digest": review_of(mixed()).digest,
        "creates": "2",
        "cancels": "2",
        "refused": "3",
    }
    assert step_outputs(review_of(world([job()], [desired()])))["changes_present"] == "false"


def test_an_apply_says_how_it_ended_and_then_its_plan() -> None:
    review = review_of(mixed())
    decided = Decided(
        Seen(review.world, {}, frozenset(), settled=True),
        review.plan,
        Gated(review.plan, review.verdicts),
        Permission(),
    )
    result = Result((), Pass(decided, (), decided), failure=f"no network: {HOSTILE}")
    text = apply_markdown(review, result, review, typed=typed)
    assert "Stopped: no network" in text
    assert "Refused by gate max_cancels: " in text
    assert text.index("Refused by gate") < text.index("**Plan: 2 to create")
    assert "@octocat" not in visible(text)
    quiet = review_of(world([job()], [desired()]))
    done = Decided(decided.seen, quiet.plan, Gated(quiet.plan, ()), Permission())
    text = apply_markdown(quiet, Result((), Pass(done, (), done)), quiet, typed=typed)
    assert "Nothing was left to do." in text


def test_the_first_warnings_of_the_reading_are_said_and_the_others_counted() -> None:
    odd = [Problem("data/train.jsonl", line, 0, "", f"no system message {HOSTILE}") for line in range(1, 9)]
    text = plan_markdown(review_of(world([], []), warnings=tuple(odd)))
    assert text.count("- **Warning**: ") == 5
    assert "`data/train.jsonl:1: no system message @octocat" in text
    assert "- 3 more warnings: `reconciler validate` shows them" in text
    assert "- **Warning**" not in plan_markdown(review_of(world([], [])))
