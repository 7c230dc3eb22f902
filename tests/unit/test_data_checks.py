"""Training files in a reading: what is wanted of each, where its errors are shown, and what the fleet says of them."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.cli.authoring import validate
from reconciler.cli.manifests import valid_source
from reconciler.core.documents import ProviderName
from reconciler.core.snapshot import Snapshot
from reconciler.provider.profiles import rules_of
from reconciler.settings import Settings
from reconciler.source.directory import read_directory
from reconciler.source.known import Known
from tests.fakes.manifests import as_json

SYSTEM = {"role": "system", "content": "Be short."}
CHAT = {"messages": [SYSTEM, {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
PAIR = {
    "input": {"messages": [{"role": "user", "content": "q"}]},
    "preferred_output": [{"role": "assistant", "content": "a"}],
    "non_preferred_output": [{"role": "assistant", "content": "b"}],
}
COMPLETION = {"prompt": "q", "completion": "a"}
BAD = {"messages": [{"role": "bot", "content": "a"}]}
DPO = {"type": "dpo"}
GRADER = {"type": "string_check", "name": "g", "input": "{{sample.output_text}}", "reference": "{{ item.answer }}"}
REINFORCEMENT = {"type": "reinforcement", "reinforcement": {"grader": {**GRADER, "operation": "eq"}}}


def lines(example: Mapping[str, Any], count: int = 12) -> str:
    """So many examples, none like another; where one answers "a", so does each with a number."""
    text = json.dumps(example)
    return "".join(text.replace('"content": "a"', f'"content": "a{n}"')[:-1] + f', "n": {n}}}\n' for n in range(count))


class Fleet:
    """A fleet directory of one training file, unless a test writes more."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir()
        self.document()
        self.file("train.jsonl", lines(CHAT))

    def document(self, **spec: Any) -> None:
        (self.root / "fleet.yaml").write_text(as_json("Fleet", "f", {"provider": "openai", **spec}))

    def job(self, name: str, **spec: Any) -> None:
        fields = {"model": "gpt-4o", "training_file": "train.jsonl", **spec}
        (self.root / f"{name}.yaml").write_text(as_json("FineTuningJob", name, fields))

    def file(self, path: str, text: str) -> None:
        (self.root / path).write_text(text)

    def read(self, known: Known | None = None) -> Snapshot:
        return read_directory(self.root, (), known, rules_of)

    def problems(self) -> list[str]:
        return [str(problem) for problem in self.read().problems]

    def warnings(self) -> list[str]:
        return [str(problem) for problem in self.read().data_warnings]


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path / "fleet")


def test_an_error_stands_at_its_line_and_field_and_its_job_is_broken(fleet: Fleet) -> None:
    fleet.job("a")
    fleet.job("b", training_file="good.jsonl")
    fleet.file("good.jsonl", lines(CHAT))
    fleet.file("train.jsonl", lines(CHAT) + json.dumps({"messages": [SYSTEM, *BAD["messages"]]}) + "\n")
    read = fleet.read()
    assert [str(problem) for problem in read.problems] == [
        "train.jsonl:13: messages[1].role: bot is no role: write assistant",
    ]
    assert read.broken == {"a"}
    assert set(read.desired) == {"b"}


def test_an_error_has_the_part_of_the_line_in_which_it_stands_without_what_may_be_a_key(fleet: Fleet) -> None:
    key = "sk-" + "a1b2c3d4" * 4
    told = {"messages": [{"role": "user", "content": f"{'x' * 500} {key}"}, *BAD["messages"]], "api_key": key}
    fleet.file("train.jsonl", lines(CHAT) + json.dumps(told) + "\n" + '{"messages": nope}\n')
    fleet.job("a")
    role, syntax = fleet.read().problems
    assert (role.line, role.column, role.text[role.caret or 0 :][:5]) == (13, 0, '"bot"')
    assert role.text.startswith("…")
    assert key not in role.text
    assert (syntax.column, syntax.text[syntax.caret or 0 :]) == (14, "nope}")
    fleet.document(data_checks="warn")
    assert {one.text for one in fleet.read().data_warnings} == {""}, "nobody shows what stands there"


def test_what_is_wrong_with_a_manifest_hides_nothing_that_is_wrong_with_its_data(fleet: Fleet) -> None:
    fleet.file("train.jsonl", lines(CHAT) + json.dumps(BAD) + "\n")
    fleet.file("valid.jsonl", lines(PAIR, 4))
    fleet.job("a", sed=3, validation_file="valid.jsonl")
    assert [problem.partition(":")[0] for problem in fleet.problems()] == ["a.yaml", "train.jsonl", "valid.jsonl"]
    assert "preference data" in fleet.problems()[-1]
    assert fleet.problems()[-1].endswith("(by job a)")


@pytest.mark.parametrize(
    "spec",
    [
        {"method": {"type": "dpp"}},
        {"metod": DPO},
        {"model": 4},
        {"model": None, "modell": "gpt-4o"},
        {"model_from": {"job": "b"}},
        {"method": {"type": "dpo", "dpo": {"hyperparameters": {"n_epochs": -1}}}},
    ],
    ids=["unknown method", "misspelt method", "no text", "misspelt model", "two models", "a number of it"],
)
def test_but_what_a_file_should_hold_is_not_guessed(fleet: Fleet, spec: dict[str, Any]) -> None:
    fleet.file("train.jsonl", lines(PAIR))
    fleet.job("a", **spec)
    assert {problem.partition(":")[0] for problem in fleet.problems()} == {"a.yaml"}


def test_of_one_file_the_first_twenty_errors_are_shown_and_the_others_counted(fleet: Fleet) -> None:
    fleet.job("a")
    fleet.file("train.jsonl", lines({"messages": [*CHAT["messages"], {"role": "bot", "content": "x"}]}, 50))
    found = fleet.problems()
    assert len(found) == 21
    assert found[0] == "train.jsonl:1: messages[3].role: bot is no role: write assistant"
    assert "train.jsonl:20: errors beyond the first 20: 30" in found


@pytest.mark.parametrize(
    ("example", "spec", "wanted"),
    [
        pytest.param(PAIR, {}, "preference data", id="pairs for supervised"),
        pytest.param(COMPLETION, {}, "completion data", id="completions for a chat model"),
        pytest.param(CHAT, {"method": DPO}, "chat data", id="chats for dpo"),
        pytest.param(CHAT, {"model": "davinci-002"}, "chat data", id="chats for a completion model"),
        pytest.param(PAIR, {"method": REINFORCEMENT}, "preference data", id="pairs for a grader"),
    ],
)
def test_a_file_of_another_format_is_one_error_that_names_the_job(
    fleet: Fleet, example: dict[str, Any], spec: dict[str, Any], wanted: str
) -> None:
    fleet.job("a", **spec)
    fleet.file("train.jsonl", lines(example, 30))
    (problem,) = fleet.problems()
    assert problem.startswith(f"train.jsonl:1: {wanted} (")
    assert problem.endswith("(by job a)")


def test_only_the_format_is_said_to_be_wanted_by_a_job(fleet: Fleet) -> None:
    fleet.job("a")
    fleet.file("train.jsonl", lines(COMPLETION, 10) + "{]\n")
    wanted, broken = fleet.problems()
    assert wanted.endswith("(by job a)")
    assert "by job" not in broken


@pytest.mark.parametrize(
    ("example", "spec"),
    [
        pytest.param(PAIR, {"method": DPO}, id="preference"),
        pytest.param(COMPLETION, {"model": "ft:davinci-002:us::abc"}, id="a completion model trained further"),
        pytest.param({**CHAT, "messages": CHAT["messages"][:2], "answer": "a"}, {"method": REINFORCEMENT}, id="graded"),
    ],
)
def test_each_method_and_model_has_its_format(fleet: Fleet, example: dict[str, Any], spec: dict[str, Any]) -> None:
    fleet.job("a", **spec)
    fleet.file("train.jsonl", lines(example))
    assert fleet.problems() == []


def test_two_jobs_may_want_different_things_of_one_file(fleet: Fleet) -> None:
    fleet.job("a")
    fleet.job("b", method=DPO)
    read = fleet.read()
    assert read.broken == {"b"}
    assert [str(problem).rpartition(" ")[2] for problem in read.problems] == ["b)"]


def test_a_job_on_another_ones_model_wants_what_the_first_model_wants(fleet: Fleet) -> None:
    fleet.file("train.jsonl", lines(COMPLETION))
    fleet.job("a", model="babbage-002")
    fleet.job("b", model=None, model_from={"job": "a"})
    assert fleet.problems() == []
    fleet.job("a")
    assert fleet.read().broken == {"a", "b"}


def test_what_a_grader_names_must_stand_in_every_line(fleet: Fleet) -> None:
    fleet.job("a", method=REINFORCEMENT, validation_file="train.jsonl")
    fleet.file("train.jsonl", lines({"messages": CHAT["messages"][:2]}, 10))
    assert fleet.problems()[0] == "train.jsonl:1: answer: is missing: the grader names it, as item.answer"


def test_reinforcement_without_a_validation_file_is_warned_of(fleet: Fleet) -> None:
    fleet.job("a", method=REINFORCEMENT)
    fleet.file("train.jsonl", lines({"messages": CHAT["messages"][:2], "answer": "a"}))
    (warning,) = fleet.warnings()
    assert warning.startswith("a.yaml:1:1: spec.validation_file: reinforcement is said to need")


def test_a_validation_file_may_be_short_and_is_compared_with_the_training_file(fleet: Fleet) -> None:
    fleet.job("a", validation_file="valid.jsonl")
    fleet.file("valid.jsonl", lines({**CHAT, "of": "validation"}, 1))
    assert (fleet.problems(), fleet.warnings()) == ([], [])
    fleet.file("valid.jsonl", lines({**CHAT, "of": "validation"}, 1) + lines(CHAT, 2))
    assert fleet.warnings() == [
        "valid.jsonl:2: this example is in the training file too (2 such in all): validate on others"
    ]


def test_the_minimum_is_that_of_the_server(fleet: Fleet) -> None:
    fleet.job("a")
    fleet.file("train.jsonl", lines(CHAT, 3))
    assert fleet.problems() == ["train.jsonl: 3 examples: at least 10 are needed"]
    fleet.document(provider="compatible")
    assert fleet.problems() == []


def test_other_servers_train_chat_models_on_texts(fleet: Fleet) -> None:
    fleet.job("a")
    fleet.file("train.jsonl", lines(COMPLETION))
    assert len(fleet.problems()) == 1
    fleet.document(provider="nebius")
    assert fleet.problems() == []


def test_a_fleet_may_make_errors_warnings_or_leave_the_checks(fleet: Fleet) -> None:
    fleet.job("a")
    fleet.file("train.jsonl", lines(BAD))
    as_errors = fleet.problems()
    fleet.document(data_checks="warn")
    assert fleet.problems() == []
    assert set(as_errors) <= set(fleet.warnings())
    assert set(fleet.read().desired) == {"a"}
    fleet.document(data_checks="off")
    assert (fleet.problems(), fleet.warnings()) == ([], [])


@pytest.mark.parametrize("level", ["error", "warn", "off"])
def test_what_is_no_json_is_an_error_whatever_the_fleet_says(fleet: Fleet, level: str) -> None:
    fleet.document(data_checks=level)
    fleet.job("a")
    fleet.file("train.jsonl", lines(CHAT) + "{,}\n")
    assert fleet.problems() == ["train.jsonl:13:2: a key in double quotes is missing: , stands here"]
    assert fleet.read().broken == {"a"}


def test_github_shows_each_error_beside_the_line_of_the_file(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.job("a")
    fleet.file("train.jsonl", lines({"messages": CHAT["messages"][1:]}) + lines({"messages": CHAT["messages"][:2]}, 1))
    monkeypatch.chdir(fleet.root)
    assert validate(".", None, None, "github") == 1
    shown = capsys.readouterr().out
    assert "::error file=train.jsonl,line=13::messages: no assistant message" in shown
    fleet.file("train.jsonl", lines({"messages": CHAT["messages"][1:]}))
    assert validate(".", None, None, "github") == 0
    assert "::warning file=train.jsonl::no example has a system message" in capsys.readouterr().out


def test_a_plan_names_a_few_warnings_and_how_many_more_there_are(
    fleet: Fleet, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(8):
        fleet.job(f"job-{number}", training_file=f"{number}.jsonl")
        fleet.file(f"{number}.jsonl", lines({"messages": CHAT["messages"][1:], "of": number}))
    assert valid_source(Settings(root=fleet.root)).problems == ()
    said = capsys.readouterr().err
    assert said.count("no example has a system message") == 5
    assert "3 more warnings of training files: reconciler validate shows them" in said


def test_revisions_do_not_depend_on_the_checks(fleet: Fleet) -> None:
    fleet.job("a")
    before = fleet.read().desired["a"].revision
    fleet.document(data_checks="off")
    assert fleet.read().desired["a"].revision == before


def test_a_file_is_looked_at_once_for_its_digest(fleet: Fleet, tmp_path: Path) -> None:
    fleet.job("a", validation_file="valid.jsonl")
    fleet.file("train.jsonl", lines({"messages": CHAT["messages"][1:]}))
    fleet.file("valid.jsonl", lines(CHAT))
    known = Known(tmp_path / "cache")
    first = fleet.read(known)
    known.save()
    assert [w.message[:16] for w in first.data_warnings] == ["no example has a"]
    opened: list[str] = []
    real = os.open

    def counting(path: Any, *rest: Any, **more: Any) -> int:
        opened.append(str(path))
        return real(path, *rest, **more)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "open", counting)
        again = fleet.read(Known(tmp_path / "cache"))
    assert again == first
    assert sum(path.endswith(".jsonl") for path in opened) == 2, "each is read for its digest, and not again"


def test_what_is_asked_of_a_server_is_part_of_what_is_known(fleet: Fleet, tmp_path: Path) -> None:
    fleet.job("a")
    fleet.file("train.jsonl", lines(COMPLETION))
    fleet.document(provider="nebius")
    known = Known(tmp_path / "cache")
    assert fleet.read(known).problems == ()
    known.save()
    fleet.document(provider="openai")
    assert len(fleet.read(Known(tmp_path / "cache")).problems) == 1


def test_the_file_of_a_broken_job_is_read_as_far_as_it_is_json(fleet: Fleet) -> None:
    fleet.job("a", seed="x")
    fleet.file("train.jsonl", "{,}\n")
    assert {problem.path for problem in fleet.read().problems} == {"a.yaml", "train.jsonl"}


def test_without_a_fleet_nobody_knows_which_rules_hold(fleet: Fleet) -> None:
    fleet.job("a")
    fleet.file("train.jsonl", lines(BAD))
    (fleet.root / "fleet.yaml").unlink()
    assert {problem.path for problem in fleet.read().problems} == {"."}


@pytest.mark.parametrize("name", list(ProviderName))
def test_each_kind_of_server_has_rules(name: ProviderName) -> None:
    assert rules_of(name).minimum >= 1
