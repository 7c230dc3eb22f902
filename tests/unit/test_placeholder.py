"""Templates that were not filled in, typographic quotes, and characters nobody sees."""

# ruff: noqa: RUF001 - typographic quotes are what is tried here

from typing import Any

import pytest

from reconciler.core.complaints import Complaint, problems_of
from reconciler.core.models import Invalid
from reconciler.core.placeholder import path_fault
from tests.fakes.specs import (
    MODEL,
    MULTI,
    PYTHON,
    SCORE,
    STRING,
    complaints,
    entry,
    fleet,
    only,
    reinforcement,
    written,
)


def unfilled(template: str) -> str:
    return f"{template} is a template that was not filled in: put the value in its place"


def quoted(quote: str) -> str:
    return f"the typographic quote {quote} stands in it: remove it, or write a straight one (' or \")"


@pytest.mark.parametrize(
    "template",
    [
        "${MODEL}",
        "${MODEL:-gpt}",
        "$(MODEL)",
        "$(cat model)",
        "{{ model }}",
        "{{.Values.model}}",
        "{{- model -}}",
        "${{ vars.MODEL }}",
        "<%= model %>",
        "{% if x %}",
        "#{MODEL}#",
        "$MODEL",
        "%MODEL%",
        "<MODEL>",
        "<YOUR MODEL>",
    ],
)
def test_a_template_that_was_not_filled_in_is_no_name(template: str) -> None:
    for text in (template, f"ft:{template}", f"{template}/x"):
        assert complaints({**MODEL, "model": text}) == [("spec.model", unfilled(template))]
        assert complaints({**MODEL, "suffix": text}) == [("spec.suffix", unfilled(template))]
        assert complaints({**MODEL, "training_file": text}) == [("spec.training_file", unfilled(template))]


@pytest.mark.parametrize(
    "template", ["__MODEL__", "@MODEL@", "@project.version@", "$model", "[[ x ]]", "%(x)s", "{x}", "<your model>"]
)
def test_what_may_stand_in_a_name_is_a_template_where_it_is_all_of_it(template: str) -> None:
    assert complaints({**MODEL, "model": template}) == [("spec.model", unfilled(template))]
    assert written({**MODEL, "model": f"ft:{template}:x"})[1]["model"] == f"ft:{template}:x"


RUN = {"type": "wandb", "wandb": {"project": "p"}}


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"validation_file": "${X}"}, "validation_file"),
        ({"seed": "${X}"}, "seed"),
        ({"rerun": "${X}"}, "rerun"),
        ({"hyperparameters": {"n_epochs": "${X}"}}, "hyperparameters.n_epochs"),
        ({"hyperparameters": {"learning_rate_multiplier": "${X}"}}, "hyperparameters.learning_rate_multiplier"),
        ({"method": {"type": "${X}"}}, "method.type"),
        ({"method": "${X}"}, "method"),
        ({"integrations": [{**RUN, "wandb": {"project": "${X}"}}]}, "integrations.0.wandb.project"),
        ({"integrations": [{**RUN, "wandb": {"project": "p", "tags": ["a", "${X}"]}}]}, "integrations.0.wandb.tags.1"),
        ({"metadata": {"k": "${X}"}}, "metadata.k"),
        ({"metadata": {"k": "at ${X}"}}, "metadata.k"),
        ({"metadata": {"${X}": "v"}}, "metadata.${X}"),
        ({"extra_body": {"a": [{"b": "${X}"}]}}, "extra_body"),
        ({"policy": {"state": "${X}"}}, "policy.state"),
        ({"policy": {"adopt": {"job_id": "${X}", "revision": "0" * 16}}}, "policy.adopt.job_id"),
    ],
)
def test_a_template_is_found_in_every_field(spec: dict[str, Any], field: str) -> None:
    assert complaints({**MODEL, **spec}) == [(f"spec.{field}", unfilled("${X}"))]


def test_a_template_is_found_in_the_envelope_and_in_a_fleet() -> None:
    for name in ("${X}", "a-${X}"):
        with pytest.raises(Invalid) as raised:
            written(MODEL, name)
        assert problems_of(raised.value) == [Complaint(("metadata", "name"), unfilled("${X}"))]
    for spec in ({"provider": "${X}"}, {"provider": "openai", "expect": {"host": "${X}"}}):
        with pytest.raises(Invalid) as raised:
            fleet(spec)
        assert [one.message for one in problems_of(raised.value)] == [unfilled("${X}")]


@pytest.mark.parametrize("field", ["input", "reference"])
@pytest.mark.parametrize("text", ["{{item.x}}", "{{ sample.output_text }}", "a ${X} b", "“Paris”", "<b>", "__X__"])
def test_what_a_free_text_holds_is_meant(text: str, field: str) -> None:
    assert only(entry(reinforcement({**STRING, field: text}))).body
    assert only(entry({**MODEL, "extra_body": {"chat_template": text}})).extra_body == {"chat_template": text}
    labels = {"type": "label_model", "name": "l", "model": "m", "input": [], "labels": [text], "passing_labels": [text]}
    assert only(entry(reinforcement({**MULTI, "graders": {"a": labels}}))).body


@pytest.mark.parametrize("text", ["${X}", "$(X)", " ${X}\n"])
def test_a_free_text_that_is_a_placeholder_from_end_to_end_is_refused(text: str) -> None:
    message = unfilled(text.strip())
    item = {"role": "user", "content": [{"type": "input_text", "text": text}]}
    assert complaints(reinforcement({**STRING, "reference": text}))[0][1] == message
    assert complaints(reinforcement({**PYTHON, "source": text}))[0][1] == message
    assert complaints(reinforcement({**SCORE, "input": [item]}))[0][1] == message


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("“gpt-4o”", "“"),
        ("‘x’", "‘"),
        ("«x»", "«"),
        ("„x“", "„"),
        ("gpt’4o", "’"),
        ("’x", "’"),
        ("x’", "’"),
        ("‹x›", "‹"),
    ],
)
def test_typographic_quotes_are_no_part_of_a_name(text: str, quote: str) -> None:
    for key in ("model", "suffix"):
        assert complaints({**MODEL, key: text}) == [(f"spec.{key}", quoted(quote))]
    assert complaints({**MODEL, "seed": text}) == [("spec.seed", quoted(quote))]


@pytest.mark.parametrize("text", ["“a/b.jsonl”", "‘file-1’", "«x»", "„x“", "“”"])
def test_typographic_quotes_do_not_hold_a_path_or_a_value(text: str) -> None:
    assert path_fault(text) == quoted(text[0])
    assert complaints({**MODEL, "training_file": text}) == [("spec.training_file", quoted(text[0]))]
    assert complaints({**MODEL, "metadata": {"k": text}}) == [("spec.metadata.k", quoted(text[0]))]


@pytest.mark.parametrize("text", ["l’été.jsonl", "the “best” one", "data/100%/a.jsonl", "a$b", "x{1}.jsonl", "“"])
def test_what_a_path_or_a_value_may_hold(text: str) -> None:
    spec = {**MODEL, "training_file": text, "metadata": {"k": text}}
    assert written(spec) == ("a", spec)


@pytest.mark.parametrize(
    "text", ["accounts/x/models/y", "ft:gpt-4o:org::Ab1", "Qwen/Qwen2.5-7B@main", "l’été", "50%", "a<b>c"]
)
def test_what_a_name_may_hold(text: str) -> None:
    assert written({**MODEL, "model": text, "suffix": text[:64]})[1]["model"] == text


@pytest.mark.parametrize("character", ["\ufeff", "\u200b", "\u00a0", "\u202e", "\u2028"])
def test_a_character_that_nobody_sees_is_no_part_of_a_name(character: str) -> None:
    message = f"the character U+{ord(character):04X}, which nobody sees, stands in it: remove it"
    assert complaints({**MODEL, "model": f"gpt{character}"}) == [("spec.model", message)]
