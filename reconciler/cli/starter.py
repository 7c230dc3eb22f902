"""The files that `reconciler init` writes. Pure."""

import json
from collections.abc import Mapping

from reconciler.core.documents import API_VERSION
from reconciler.render.schema import manifest_schema

# Skipped when the fleet is read, since its name starts with a dot; `reconciler schema` prints it anew.
SCHEMA_FILE = ".reconciler.schema.json"
_MODELINE = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"

_FLEET = f"""\
{_MODELINE}apiVersion: {API_VERSION}
kind: Fleet
metadata:
  name: {{name}}  # the ownership mark on every job of this fleet: keep it
spec:
  provider: sandbox  # trains nothing and costs nothing; then: openai | azure | litellm | nebius | portkey | compatible
  # state: suspended  # touch nothing; or cancelled: cancel every live job
  # prune: false  # leave live jobs whose manifest is gone
  # expect: {{{{host: api.openai.com}}}}  # refuse to work anywhere else; also organization, project
  limits:
    max_creates: 20  # a pass that wants more new jobs is refused
    max_cancels: 30%  # of the fleet's live jobs, or a number
    # max_active: 3  # live jobs at once; the rest wait their turn
    # max_cost: 50  # US dollars that the new jobs of a pass may cost
  # data_checks: warn  # what an error in a training file is: error, warn or off
"""

_JOB = f"""\
{_MODELINE}apiVersion: {API_VERSION}
kind: FineTuningJob
metadata:
  name: first-job
spec:
  model: gpt-4o-mini-2024-07-18
  training_file: data/train.jsonl
  # validation_file: data/train.jsonl  # better: examples that are not trained on
  suffix: first-job
  # seed: 7
  method:
    type: supervised  # or dpo, reinforcement
    supervised:
      hyperparameters:
        n_epochs: 3
        # batch_size: 8
        # learning_rate_multiplier: 0.5
  # integrations: [{{type: wandb, wandb: {{project: first-project}}}}]
  # metadata: {{ticket: ML-12}}  # at most 10 pairs, kept with the job at the provider
  # extra_body: {{priority: low}}  # fields of this provider alone, sent as they are
  # rerun: 1  # raise it to train the same spec again
  # policy: {{on_change: wait, retries: 2}}  # also state, on_remove, on_cancelled, adopt
"""

_IGNORED = """\
# What reconciler remembers, and the sandbox's own data
.reconciler/
.sandbox/
"""

# Line endings must not change on checkout: a training file is addressed by its content.
_ATTRIBUTES = "*.jsonl text eol=lf\n"

_SYSTEM = "You are the help desk of an online shop. Answer in one or two sentences."
_DIALOGUES = (
    ("Where is my order?", "Open Orders in your account: each order shows its parcel's latest scan."),
    ("Can I change my delivery address?", "Yes, until the parcel is packed: Orders, then Change address."),
    ("How do I return an item?", "Within 30 days: Orders, then Return, then print the label."),
    ("When do I get my refund?", "Three to five working days after the parcel reaches us."),
    ("Do you ship abroad?", "To every country of the EU, to Norway and to Switzerland."),
    ("My parcel is damaged.", "I am sorry. Send us a photo from Orders, then Report a problem; we replace it."),
    ("How can I pay?", "By card, by bank transfer, or on account after your first order."),
    ("I forgot my password.", "Choose Forgot password on the sign-in page; the link is valid for one hour."),
    ("Can I cancel an order?", "Yes, until it is packed: Orders, then Cancel."),
    ("Is the store open on Sunday?", "No: Monday to Saturday, 9:00 to 19:00."),
    ("Do you sell gift cards?", "Yes, from 10 to 250 euros, by mail or as a PDF."),
    ("How do I reach a person?", "Write agent here between 8:00 and 20:00, and a colleague takes over."),
)


def starter_files(fleet: str | None) -> Mapping[str, str]:
    """Content by relative path: a fleet that passes `validate` and runs on the sandbox.

    ``fleet`` None: one is there, and what a new one would train is not for it.
    """
    begun = {
        "fleet.yaml": _FLEET.format(name=fleet),
        "first-job.yaml": _JOB,
        "data/train.jsonl": "".join(f"{_example(*dialogue)}\n" for dialogue in _DIALOGUES),
    }
    return {
        **({} if fleet is None else begun),
        SCHEMA_FILE: json.dumps(manifest_schema(), indent=2) + "\n",
        ".gitignore": _IGNORED,
        ".gitattributes": _ATTRIBUTES,
    }


def _example(question: str, answer: str) -> str:
    """One line of supervised training data in the chat format."""
    said = (("system", _SYSTEM), ("user", question), ("assistant", answer))
    return json.dumps({"messages": [{"role": role, "content": content} for role, content in said]})
