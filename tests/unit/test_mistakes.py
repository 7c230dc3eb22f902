"""Mistakes that people make in manifests, and the whole answer to each: what is wrong, where, and the way on."""

from pathlib import Path

import pytest

from reconciler.source.directory import read_directory
from tests.fakes.manifests import FLEET

JOB = "apiVersion: reconciler/v1\nkind: FineTuningJob\nmetadata:\n  name: a\nspec:\n"
FLEET_HEAD = "apiVersion: reconciler/v1\nkind: Fleet\nmetadata: {name: f}\nspec:\n"
SECRETS = ("abcdefghijklmnop", "0123456789abcdef", "password")

IN_A_JOB = [
    (
        "tab",
        JOB + "  model: m\n  training_file: file-1\n\tseed: 1\n",
        ["8:1: a tab indents this line: YAML is indented with spaces alone"],
    ),
    (
        "tab in nested",
        JOB + "  model: m\n  training_file: file-1\n  policy:\n  \tretries: 1\n",
        ["9:3: a tab indents this line: YAML is indented with spaces alone"],
    ),
    ("missing colon", JOB + "  model: m\n  training_file: file-1\n  seed 1\n", ["8:3: a colon is missing after seed"]),
    (
        "missing colon after a map's key",
        JOB + "  model: m\n  training_file: file-1\n  policy\n    retries: 1\n",
        ["8:3: a colon is missing after policy"],
    ),
    (
        "missing space after the colon",
        JOB + "  model: m\n  training_file: file-1\n  seed:1\n",
        ["8:8: a space is missing after the colon of seed"],
    ),
    (
        "missing space first",
        JOB + "  model:m\n  training_file: file-1\n",
        ["6:9: a space is missing after the colon of model"],
    ),
    (
        "double quote unclosed",
        JOB + '  model: m\n  training_file: file-1\n  suffix: "x\n',
        ["8:11: this quote is never closed"],
    ),
    (
        "single quote unclosed",
        JOB + "  model: m\n  training_file: file-1\n  suffix: 'x\n  seed: 1\n",
        ["8:11: this quote is never closed"],
    ),
    (
        "apostrophe in quotes",
        JOB + "  model: m\n  training_file: file-1\n  suffix: 'it's'\n",
        [
            "8:15: something follows the end of the value: put the whole value in quotes (' within '\u2026' is written '')"
        ],
    ),
    (
        "text after a quote",
        JOB + '  model: m\n  training_file: file-1\n  suffix: "x" y\n',
        [
            "8:15: something follows the end of the value: put the whole value in quotes (' within '\u2026' is written '')"
        ],
    ),
    (
        "colon in a value",
        JOB + "  model: m\n  training_file: file-1\n  suffix: a: b\n",
        ["8:12: a second colon in this line: put the value in quotes, or begin a new line"],
    ),
    (
        "at sign",
        JOB + "  model: m\n  training_file: file-1\n  suffix: @x\n",
        ["8:11: a value cannot begin with @: put it in quotes"],
    ),
    (
        "percent",
        JOB + "  model: m\n  training_file: file-1\n  suffix: %x\n",
        ["8:11: a value cannot begin with %: put it in quotes"],
    ),
    (
        "backtick",
        JOB + "  model: m\n  training_file: file-1\n  suffix: `x`\n",
        ["8:11: a value cannot begin with `: put it in quotes"],
    ),
    (
        "asterisk",
        JOB + "  model: m\n  training_file: file-1\n  suffix: *\n",
        ["8:11: a value cannot begin with *: put it in quotes"],
    ),
    (
        "bracket unclosed",
        JOB + "  model: m\n  training_file: file-1\n  integrations: [{type: wandb\n",
        ["8:18: this { is not closed, or a comma is missing before line 9"],
    ),
    (
        "brace unclosed",
        JOB + "  model: m\n  training_file: file-1\n  metadata: {a: b\n  seed: 1\n",
        ["8:13: this { is not closed, or a comma is missing before line 9"],
    ),
    (
        "brace for bracket",
        JOB + "  model: m\n  training_file: file-1\n  metadata: {a: b]\n",
        ["8:18: ] stands here, and } would be right"],
    ),
    (
        "comma missing",
        JOB + "  model: m\n  training_file: file-1\n  metadata: {a: b c: d}\n",
        ["8:20: a comma is missing before the key that ends here"],
    ),
    (
        "one space too many",
        JOB + "  model: m\n   training_file: file-1\n",
        ["7:4: this line is indented below model, which has a value already: align them"],
    ),
    (
        "one space too few",
        JOB + "  model: m\n training_file: file-1\n",
        ["7:2: the indentation of this line fits no line above: align it"],
    ),
    (
        "spec not indented",
        JOB + "model: m\ntraining_file: file-1\n",
        [
            "6:1: model: unknown field; it belongs under spec",
            "7:1: training_file: unknown field; it belongs under spec",
        ],
    ),
    (
        "policy indented too far",
        JOB + "  model: m\n  training_file: file-1\n    policy:\n      retries: 1\n",
        ["8:5: this line is indented below training_file, which has a value already: align them"],
    ),
    (
        "policy's fields not indented",
        JOB + "  model: m\n  training_file: file-1\n  policy:\n  retries: 1\n",
        ["9:3: spec.retries: unknown field; it belongs under spec.policy"],
    ),
    (
        "list for a map",
        JOB + "  model: m\n  training_file: file-1\n  policy:\n    - retries: 1\n",
        ["8:3: spec.policy: must be a mapping of fields, not a list"],
    ),
    ("list for a text", JOB + "  model: [m]\n  training_file: file-1\n", ["6:3: spec.model: must be text, not a list"]),
    (
        "map for a text",
        JOB + "  model: {name: m}\n  training_file: file-1\n",
        ["6:3: spec.model: must be text, not a mapping"],
    ),
    (
        "text for a map",
        JOB + "  model: m\n  training_file: file-1\n  policy: retries\n",
        ["8:3: spec.policy: must be a mapping of fields, not retries"],
    ),
    (
        "text for a list",
        JOB + "  model: m\n  training_file: file-1\n  integrations: wandb\n",
        ["8:3: spec.integrations: must be a list, not wandb"],
    ),
    (
        "map for a list",
        JOB + "  model: m\n  training_file: file-1\n  integrations:\n    type: wandb\n    wandb: {project: p}\n",
        ["8:3: spec.integrations: must be a list, not a mapping: begin each item with -"],
    ),
    (
        "spec as a list",
        JOB + "  - model: m\n  - training_file: file-1\n",
        ["5:1: spec: must be a mapping of fields, not a list"],
    ),
    (
        "metadata as text",
        "apiVersion: reconciler/v1\nkind: FineTuningJob\nmetadata: a\nspec: {model: m, training_file: file-1}\n",
        ["3:1: metadata: must be a mapping of fields, not a"],
    ),
    (
        "documents as a list",
        "- apiVersion: reconciler/v1\n  kind: FineTuningJob\n  metadata: {name: a}\n  spec: {model: m, training_file: file-1}\n",
        ["1:1: a list of documents: write one after the other with --- between them, or as the items of a kind: List"],
    ),
    (
        "model a number",
        JOB + "  model: 4\n  training_file: file-1\n",
        ["6:3: spec.model: must be text, not 4: put it in quotes"],
    ),
    (
        "model empty",
        JOB + "  model: ''\n  training_file: file-1\n",
        ["6:3: spec.model: must have at least 1 character"],
    ),
    (
        "model null",
        JOB + "  model:\n  training_file: file-1\n",
        ["5:1: spec: exactly one of model and model_from is needed"],
    ),
    ("training_file null", JOB + "  model: m\n  training_file:\n", ["7:3: spec.training_file: required, and not set"]),
    (
        "training_file a list",
        JOB + "  model: m\n  training_file: [a.jsonl, b.jsonl]\n",
        ["7:3: spec.training_file: must be text, not a list"],
    ),
    (
        "seed negative",
        JOB + "  model: m\n  training_file: file-1\n  seed: -1\n",
        ["8:3: spec.seed: must be greater than or equal to 0, not -1"],
    ),
    (
        "seed too large",
        JOB + "  model: m\n  training_file: file-1\n  seed: 2147483648\n",
        ["8:3: spec.seed: must be less than or equal to 2147483647, not 2147483648"],
    ),
    (
        "seed a float",
        JOB + "  model: m\n  training_file: file-1\n  seed: 1.5\n",
        ["8:3: spec.seed: must be a whole number, not 1.5"],
    ),
    (
        "seed a text",
        JOB + "  model: m\n  training_file: file-1\n  seed: '7'\n",
        ["8:3: spec.seed: must be a whole number, not 7: remove the quotes"],
    ),
    (
        "seed a boolean",
        JOB + "  model: m\n  training_file: file-1\n  seed: true\n",
        ["8:3: spec.seed: must be a whole number, not true"],
    ),
    (
        "seed a date",
        JOB + "  model: m\n  training_file: file-1\n  seed: 2026-01-01\n",
        ["8:3: spec.seed: must be a whole number, not 2026-01-01"],
    ),
    (
        "seed huge",
        JOB + "  model: m\n  training_file: file-1\n  seed: 99999999999999999999\n",
        ["8:9: spec.seed: a number of more than 19 digits"],
    ),
    (
        "suffix too long",
        JOB
        + "  model: m\n  training_file: file-1\n  suffix: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
        ["8:3: spec.suffix: must have at most 64 characters, and has 65"],
    ),
    (
        "suffix a number",
        JOB + "  model: m\n  training_file: file-1\n  suffix: 12\n",
        ["8:3: spec.suffix: must be text, not 12: put it in quotes"],
    ),
    (
        "rerun negative",
        JOB + "  model: m\n  training_file: file-1\n  rerun: -1\n",
        ["8:3: spec.rerun: must be greater than or equal to 0, not -1"],
    ),
    (
        "rerun a boolean",
        JOB + "  model: m\n  training_file: file-1\n  rerun: yes\n",
        ["8:3: spec.rerun: must be a whole number, not yes"],
    ),
    (
        "retries too many",
        JOB + "  model: m\n  training_file: file-1\n  policy: {retries: 11}\n",
        ["8:12: spec.policy.retries: must be less than or equal to 10, not 11"],
    ),
    (
        "retries a text",
        JOB + "  model: m\n  training_file: file-1\n  policy: {retries: three}\n",
        ["8:12: spec.policy.retries: must be a whole number, not three"],
    ),
    (
        "on_change misspelt",
        JOB + "  model: m\n  training_file: file-1\n  policy: {on_change: relpace}\n",
        ["8:12: spec.policy.on_change: must be 'replace' or 'wait', not relpace; did you mean replace?"],
    ),
    (
        "on_change another's",
        JOB + "  model: m\n  training_file: file-1\n  policy: {on_change: cancel}\n",
        ["8:12: spec.policy.on_change: must be 'replace' or 'wait', not cancel"],
    ),
    (
        "state in capitals",
        JOB + "  model: m\n  training_file: file-1\n  policy: {state: Active}\n",
        [
            (
                "8:12: spec.policy.state: must be 'active', 'suspended', 'cancelled' or 'paused', not Active; "
                "did you mean active?"
            )
        ],
    ),
    (
        "state in American",
        JOB + "  model: m\n  training_file: file-1\n  policy: {state: canceled}\n",
        [
            (
                "8:12: spec.policy.state: must be 'active', 'suspended', 'cancelled' or 'paused', not canceled; "
                "did you mean cancelled?"
            )
        ],
    ),
    (
        "policy field misspelt",
        JOB + "  model: m\n  training_file: file-1\n  policy: {on_chnage: wait}\n",
        ["8:12: spec.policy.on_chnage: unknown field; did you mean on_change?"],
    ),
    (
        "policy field in camel case",
        JOB + "  model: m\n  training_file: file-1\n  policy: {onChange: wait}\n",
        ["8:12: spec.policy.onChange: unknown field; did you mean on_change?"],
    ),
    (
        "policy field in spec",
        JOB + "  model: m\n  training_file: file-1\n  retries: 2\n",
        ["8:3: spec.retries: unknown field; it belongs under spec.policy"],
    ),
    (
        "n_epochs in spec",
        JOB + "  model: m\n  training_file: file-1\n  n_epochs: 3\n",
        ["8:3: spec.n_epochs: unknown field; it belongs under spec.method.supervised.hyperparameters"],
    ),
    (
        "n_epochs in method",
        JOB + "  model: m\n  training_file: file-1\n  method: {type: supervised, n_epochs: 3}\n",
        ["8:30: spec.method.n_epochs: unknown field; it belongs under spec.method.supervised.hyperparameters"],
    ),
    (
        "hyperparameters in method",
        JOB + "  model: m\n  training_file: file-1\n  method: {type: supervised, hyperparameters: {n_epochs: 3}}\n",
        ["8:30: spec.method.hyperparameters: unknown field; it belongs under spec.method.supervised"],
    ),
    (
        "n_epochs in supervised",
        JOB + "  model: m\n  training_file: file-1\n  method: {type: supervised, supervised: {n_epochs: 3}}\n",
        [
            "8:43: spec.method.supervised.n_epochs: unknown field; it belongs under spec.method.supervised.hyperparameters"
        ],
    ),
    (
        "method a text",
        JOB + "  model: m\n  training_file: file-1\n  method: supervised\n",
        ["8:3: spec.method: must be a mapping of fields, not supervised; did you mean {type: supervised}?"],
    ),
    (
        "method type misspelt",
        JOB + "  model: m\n  training_file: file-1\n  method: {type: supervized}\n",
        [
            "8:12: spec.method.type: must be 'supervised', 'dpo' or 'reinforcement', not supervized; did you mean supervised?"
        ],
    ),
    (
        "method type missing",
        JOB + "  model: m\n  training_file: file-1\n  method: {supervised: {hyperparameters: {n_epochs: 3}}}\n",
        ["8:3: spec.method.type: required, and not set"],
    ),
    (
        "method type of another",
        JOB
        + "  model: m\n  training_file: file-1\n  method: {type: dpo, supervised: {hyperparameters: {n_epochs: 3}}}\n",
        ["8:3: spec.method: supervised does not go with type dpo"],
    ),
    (
        "beta of supervised",
        JOB
        + "  model: m\n  training_file: file-1\n  method: {type: supervised, supervised: {hyperparameters: {beta: 0.1}}}\n",
        [
            "8:61: spec.method.supervised.hyperparameters.beta: unknown field; it belongs under spec.method.dpo.hyperparameters"
        ],
    ),
    (
        "both hyperparameters",
        JOB
        + "  model: m\n  training_file: file-1\n  hyperparameters: {n_epochs: 3}\n  method: {type: supervised, supervised: {hyperparameters: {n_epochs: 3}}}\n",
        ["5:1: spec: hyperparameters is the old form of method.supervised.hyperparameters: write one of them"],
    ),
    (
        "reinforcement without grader",
        JOB + "  model: m\n  training_file: file-1\n  method: {type: reinforcement}\n",
        ["8:3: spec.method: type reinforcement needs reinforcement.grader"],
    ),
    (
        "grader type misspelt",
        JOB
        + "  model: m\n  training_file: file-1\n  method: {type: reinforcement, reinforcement: {grader: {type: string_chek, name: g, input: a, reference: b, operation: eq}}}\n",
        [
            "8:49: spec.method.reinforcement.grader: its type must be one of 'string_check', 'text_similarity', 'python', 'score_model', 'multi', not string_chek; did you mean string_check?"
        ],
    ),
    (
        "grader field misspelt",
        JOB
        + "  model: m\n  training_file: file-1\n  method: {type: reinforcement, reinforcement: {grader: {type: string_check, name: g, inptu: a, reference: b, operation: eq}}}\n",
        ["8:87: spec.method.reinforcement.grader.inptu: unknown field; did you mean input?"],
    ),
    (
        "n_epochs zero",
        JOB + "  model: m\n  training_file: file-1\n  hyperparameters: {n_epochs: 0}\n",
        ["8:21: spec.hyperparameters.n_epochs: must be auto or a whole number from 1 to 50, not 0"],
    ),
    (
        "n_epochs a text",
        JOB + "  model: m\n  training_file: file-1\n  hyperparameters: {n_epochs: '3'}\n",
        ["8:21: spec.hyperparameters.n_epochs: must be auto or a whole number from 1 to 50, not 3: remove the quotes"],
    ),
    (
        "n_epochs too many",
        JOB + "  model: m\n  training_file: file-1\n  hyperparameters: {n_epochs: 51}\n",
        ["8:21: spec.hyperparameters.n_epochs: must be auto or a whole number from 1 to 50, not 51"],
    ),
    (
        "n_epochs a float",
        JOB + "  model: m\n  training_file: file-1\n  hyperparameters: {n_epochs: 2.5}\n",
        ["8:21: spec.hyperparameters.n_epochs: must be auto or a whole number from 1 to 50, not 2.5"],
    ),
    (
        "auto in capitals",
        JOB + "  model: m\n  training_file: file-1\n  hyperparameters: {n_epochs: Auto}\n",
        [
            "8:21: spec.hyperparameters.n_epochs: must be auto or a whole number from 1 to 50, not Auto; did you mean auto?"
        ],
    ),
    (
        "learning rate with a comma",
        JOB + "  model: m\n  training_file: file-1\n  hyperparameters: {learning_rate_multiplier: '0,1'}\n",
        ["8:21: spec.hyperparameters.learning_rate_multiplier: must be auto or a number above 0, not 0,1"],
    ),
    (
        "hyperparameter misspelt",
        JOB + "  model: m\n  training_file: file-1\n  hyperparameters: {learning_rate: 0.1}\n",
        ["8:21: spec.hyperparameters.learning_rate: unknown field; did you mean learning_rate_multiplier?"],
    ),
    (
        "epochs",
        JOB + "  model: m\n  training_file: file-1\n  hyperparameters: {epochs: 3}\n",
        ["8:21: spec.hyperparameters.epochs: unknown field; did you mean n_epochs?"],
    ),
    (
        "both model and model_from",
        JOB + "  model: m\n  training_file: file-1\n  model_from: {job: b}\n",
        ["5:1: spec: exactly one of model and model_from is needed"],
    ),
    (
        "neither model nor model_from",
        JOB + "  training_file: file-1\n",
        ["5:1: spec: exactly one of model and model_from is needed"],
    ),
    (
        "model misspelt",
        JOB + "  modle: m\n  training_file: file-1\n",
        ["6:3: spec.modle: unknown field; did you mean model?"],
    ),
    (
        "training_file misspelt",
        JOB + "  model: m\n  trainig_file: file-1\n",
        ["7:3: spec.trainig_file: unknown field; did you mean training_file?"],
    ),
    (
        "training_file in camel case",
        JOB + "  model: m\n  trainingFile: file-1\n",
        ["7:3: spec.trainingFile: unknown field; did you mean training_file?"],
    ),
    (
        "model_from a text",
        JOB + "  model_from: b\n  training_file: file-1\n",
        ["6:3: spec.model_from: must be a mapping of fields, not b; did you mean {job: b}?"],
    ),
    (
        "model_from itself",
        JOB + "  model_from: {job: a}\n  training_file: file-1\n",
        ["6:16: spec.model_from.job: a job cannot be built on its own model"],
    ),
    (
        "model_from of nobody",
        JOB + "  model_from: {job: b}\n  training_file: file-1\n",
        ["6:16: spec.model_from.job: no job b in this fleet"],
    ),
    (
        "checkpoint first",
        JOB + "  model_from: {job: b, checkpoint: first}\n  training_file: file-1\n",
        ["6:24: spec.model_from.checkpoint: must be 'last', not first"],
    ),
    (
        "name missing",
        "apiVersion: reconciler/v1\nkind: FineTuningJob\nspec: {model: m, training_file: file-1}\n",
        ["1:1: metadata: required, and not set"],
    ),
    (
        "name empty",
        "apiVersion: reconciler/v1\nkind: FineTuningJob\nmetadata: {}\nspec: {model: m, training_file: file-1}\n",
        ["3:1: metadata: required, and not set"],
    ),
    (
        "name at the top",
        "apiVersion: reconciler/v1\nkind: FineTuningJob\nname: a\nspec: {model: m, training_file: file-1}\n",
        ["3:1: name: unknown field; it belongs under metadata"],
    ),
    (
        "name in capitals",
        "apiVersion: reconciler/v1\nkind: FineTuningJob\nmetadata:\n  name: Support-Bot\nspec:\n  model: m\n  training_file: file-1\n",
        [
            "4:3: metadata.name: a name is lower-case letters, digits and -, at most 63 characters, not Support-Bot; did you mean support-bot?"
        ],
    ),
    (
        "name with an underscore",
        "apiVersion: reconciler/v1\nkind: FineTuningJob\nmetadata:\n  name: support_bot\nspec:\n  model: m\n  training_file: file-1\n",
        [
            "4:3: metadata.name: a name is lower-case letters, digits and -, at most 63 characters, not support_bot; did you mean support-bot?"
        ],
    ),
    (
        "name with a dot",
        "apiVersion: reconciler/v1\nkind: FineTuningJob\nmetadata:\n  name: support.bot\nspec:\n  model: m\n  training_file: file-1\n",
        [
            "4:3: metadata.name: a name is lower-case letters, digits and -, at most 63 characters, not support.bot; did you mean support-bot?"
        ],
    ),
    (
        "name ends with a dash",
        "apiVersion: reconciler/v1\nkind: FineTuningJob\nmetadata:\n  name: support-\nspec:\n  model: m\n  training_file: file-1\n",
        [
            "4:3: metadata.name: a name is lower-case letters, digits and -, at most 63 characters, not support-; did you mean support?"
        ],
    ),
    (
        "name too long",
        "apiVersion: reconciler/v1\nkind: FineTuningJob\nmetadata:\n  name: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\nspec:\n  model: m\n  training_file: file-1\n",
        [
            "4:3: metadata.name: a name is lower-case letters, digits and -, at most 63 characters, not xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\u2026"
        ],
    ),
    (
        "name a number",
        "apiVersion: reconciler/v1\nkind: FineTuningJob\nmetadata:\n  name: 42\nspec:\n  model: m\n  training_file: file-1\n",
        ["4:3: metadata.name: must be text, not 42: put it in quotes"],
    ),
    (
        "name in spec",
        JOB + "  model: m\n  training_file: file-1\n  name: b\n",
        ["8:3: spec.name: unknown field; it belongs under metadata"],
    ),
    (
        "metadata of eleven",
        JOB
        + "  model: m\n  training_file: file-1\n  metadata: {k0: v, k1: v, k2: v, k3: v, k4: v, k5: v, k6: v, k7: v, k8: v, k9: v, k10: v}\n",
        ["8:3: spec.metadata: at most 10 pairs; the API's other 6 are kept for this program's marks"],
    ),
    (
        "metadata of ours",
        JOB + "  model: m\n  training_file: file-1\n  metadata: {reconciler_job: x}\n",
        ["8:3: spec.metadata: reconciler_job starts with reconciler_, which is kept for this program's marks"],
    ),
    (
        "metadata a number",
        JOB + "  model: m\n  training_file: file-1\n  metadata: {ticket: 12}\n",
        ["8:14: spec.metadata.ticket: must be text, not 12: put it in quotes"],
    ),
    (
        "metadata a list",
        JOB + "  model: m\n  training_file: file-1\n  metadata: [a, b]\n",
        ["8:3: spec.metadata: must be a mapping, not a list"],
    ),
    (
        "metadata null",
        JOB + "  model: m\n  training_file: file-1\n  metadata: {ticket: }\n",
        ["8:14: spec.metadata.ticket: must be text, not null"],
    ),
    (
        "integration misspelt",
        JOB + "  model: m\n  training_file: file-1\n  integrations: [{type: wandb, wandb: {projct: p}}]\n",
        ["8:40: spec.integrations.0.wandb.projct: unknown field; did you mean project?"],
    ),
    (
        "integration of nobody",
        JOB + "  model: m\n  training_file: file-1\n  integrations: [{type: mlflow, mlflow: {}}]\n",
        ["8:19: spec.integrations.0.type: must be 'wandb', not mlflow"],
    ),
    (
        "W&B key",
        JOB
        + "  model: m\n  training_file: file-1\n  integrations: [{type: wandb, wandb: {project: p, api_key: 0123456789abcdef}}]\n",
        [
            "8:52: spec.integrations.0.wandb.api_key: a key must not stand in Git: take it out and revoke it (the history keeps it); the provider holds the key of W&B in the settings of your organization"
        ],
    ),
    (
        "extra_body with a field",
        JOB + "  model: m\n  training_file: file-1\n  extra_body: {model: x}\n",
        ["8:3: spec.extra_body: model is a field of the API: write it as spec.model"],
    ),
    (
        "extra_body a text",
        JOB + "  model: m\n  training_file: file-1\n  extra_body: x\n",
        ["8:3: spec.extra_body: must be a mapping, not x"],
    ),
    (
        "label a number",
        "apiVersion: reconciler/v1\nkind: FineTuningJob\nmetadata:\n  name: a\n  labels: {version: 1}\nspec:\n  model: m\n  training_file: file-1\n",
        ["5:12: metadata.labels.version: must be text, not 1: put it in quotes"],
    ),
    (
        "duplicate key",
        JOB + "  model: m\n  training_file: file-1\n  seed: 1\n  seed: 2\n",
        ["9:3: spec.seed: the key seed stands here again; first in line 8"],
    ),
    (
        "two documents without ---",
        JOB
        + "  model: m\n  training_file: file-1\napiVersion: reconciler/v1\nkind: FineTuningJob\nmetadata:\n  name: b\nspec:\n  model: m\n  training_file: file-1\n",
        ["8:1: apiVersion: a second document begins here: put --- in the line above"],
    ),
    (
        "no-break space",
        JOB + "  model: m\n  training_file: file-1\n  seed:\u00a01\n",
        ["8:8: a no-break space (U+00A0) stands here: replace it by a space"],
    ),
    (
        "no-break space as indent",
        JOB + "  model: m\n  training_file: file-1\n\u00a0\u00a0seed: 1\n",
        ["8:1: \\xa0\\xa0seed: the character U+00A0, which nobody sees, stands in it: remove it"],
    ),
    (
        "smart quotes",
        JOB + "  model: m\n  training_file: file-1\n  suffix: \u201cx\u201d\n",
        ["8:3: spec.suffix: the typographic quote \u201c stands in it: remove it, or write a straight one (' or \")"],
    ),
    (
        "template with braces",
        JOB + "  model: m\n  training_file: file-1\n  suffix: {{ suffix }}\n",
        ["8:11: {{ suffix }} is a template that was not filled in: put the value in its place"],
    ),
    (
        "template in quotes",
        JOB + "  model: m\n  training_file: file-1\n  suffix: '{{ suffix }}'\n",
        ["8:3: spec.suffix: {{ suffix }} is a template that was not filled in: put the value in its place"],
    ),
    (
        "shell template",
        JOB + "  model: ${MODEL}\n  training_file: file-1\n",
        ["6:3: spec.model: ${MODEL} is a template that was not filled in: put the value in its place"],
    ),
    (
        "angle brackets",
        JOB + "  model: <MODEL>\n  training_file: file-1\n",
        ["6:3: spec.model: <MODEL> is a template that was not filled in: put the value in its place"],
    ),
    (
        "anchor",
        JOB + "  model: m\n  training_file: file-1\n  suffix: &x y\n",
        ["8:11: spec.suffix: anchors are not supported: write the value out"],
    ),
    (
        "alias",
        JOB + "  model: m\n  training_file: file-1\n  suffix: *x\n",
        ["8:11: spec.suffix: aliases are not supported: write the value out"],
    ),
    (
        "merge key",
        JOB + "  model: m\n  training_file: file-1\n  metadata:\n    <<: {a: b}\n",
        ["9:5: spec.metadata.<<: merge keys (<<) are not supported: write the values out"],
    ),
    (
        "tag",
        JOB + "  model: m\n  training_file: file-1\n  suffix: !!str 12\n",
        ["8:11: spec.suffix: tags are not supported (!!str): remove it"],
    ),
    (
        "custom tag",
        JOB + "  model: m\n  training_file: file-1\n  suffix: !env SUFFIX\n",
        ["8:11: spec.suffix: tags are not supported (!env): remove it"],
    ),
    (
        "key a number",
        JOB + "  model: m\n  training_file: file-1\n  metadata: {1: x}\n",
        ["8:14: spec.metadata: a key must be text: quote it"],
    ),
    (
        "conflict",
        JOB + "  model: m\n  training_file: file-1\n<<<<<<< HEAD\n  seed: 1\n=======\n  seed: 2\n>>>>>>> x\n",
        ["8:1: a marker of a merge conflict (<<<<<<<): resolve the conflict"],
    ),
    (
        "control character",
        JOB + "  model: m\n  training_file: file-1\n  suffix: \u0007x\n",
        ["8:11: the character \\x07 is not allowed in YAML: remove it"],
    ),
    (
        "kind misspelt",
        "apiVersion: reconciler/v1\nkind: FinetuneJob\nmetadata:\n  name: a\nspec:\n  model: m\n  training_file: file-1\n",
        ["2:1: kind: must be Fleet or FineTuningJob, not FinetuneJob; did you mean FineTuningJob?"],
    ),
    (
        "kind in lower case",
        "apiVersion: reconciler/v1\nkind: finetuningjob\nmetadata:\n  name: a\nspec:\n  model: m\n  training_file: file-1\n",
        ["2:1: kind: must be Fleet or FineTuningJob, not finetuningjob; did you mean FineTuningJob?"],
    ),
    (
        "kind missing",
        "apiVersion: reconciler/v1\nmetadata:\n  name: a\nspec:\n  model: m\n  training_file: file-1\n",
        ["1:1: kind: must be Fleet or FineTuningJob"],
    ),
    (
        "kind another",
        "apiVersion: reconciler/v1\nkind: Job\nmetadata:\n  name: a\nspec:\n  model: m\n  training_file: file-1\n",
        ["2:1: kind: must be Fleet or FineTuningJob, not Job"],
    ),
    (
        "apiVersion misspelt",
        "apiVersion: reconcilier/v1\nkind: FineTuningJob\nmetadata:\n  name: a\nspec:\n  model: m\n  training_file: file-1\n",
        ["1:1: apiVersion: must be reconciler/v1, not reconcilier/v1"],
    ),
    (
        "apiVersion newer",
        "apiVersion: reconciler/v1alpha1\nkind: FineTuningJob\nmetadata:\n  name: a\nspec:\n  model: m\n  training_file: file-1\n",
        ["1:1: apiVersion: must be reconciler/v1, not reconciler/v1alpha1"],
    ),
    (
        "apiVersion missing",
        "kind: FineTuningJob\nmetadata:\n  name: a\nspec:\n  model: m\n  training_file: file-1\n",
        ["1:1: apiVersion: must be reconciler/v1"],
    ),
    (
        "apiVersion in snake case",
        "api_version: reconciler/v1\nkind: FineTuningJob\nmetadata:\n  name: a\nspec:\n  model: m\n  training_file: file-1\n",
        ["1:1: api_version: unknown field; did you mean apiVersion?"],
    ),
    (
        "api key",
        JOB + "  model: m\n  training_file: file-1\n  api_key: sk-proj-abcdefghijklmnop\n",
        [
            "8:3: spec.api_key: a key must not stand in Git: take it out and revoke it (the history keeps it); the key comes from OPENAI_API_KEY or --api-key-file"
        ],
    ),
    (
        "apiKey",
        JOB + "  model: m\n  training_file: file-1\n  apiKey: sk-proj-abcdefghijklmnop\n",
        [
            "8:3: spec.apiKey: a key must not stand in Git: take it out and revoke it (the history keeps it); the key comes from OPENAI_API_KEY or --api-key-file"
        ],
    ),
    (
        "OPENAI_API_KEY",
        JOB + "  model: m\n  training_file: file-1\n  OPENAI_API_KEY: sk-proj-abcdefghijklmnop\n",
        [
            "8:3: spec.OPENAI_API_KEY: a key must not stand in Git: take it out and revoke it (the history keeps it); the key comes from OPENAI_API_KEY or --api-key-file"
        ],
    ),
    (
        "token",
        JOB + "  model: m\n  training_file: file-1\n  token: abcdefghijklmnop\n",
        [
            "8:3: spec.token: a key must not stand in Git: take it out and revoke it (the history keeps it); the key comes from OPENAI_API_KEY or --api-key-file"
        ],
    ),
    (
        "authorization at the top",
        "apiVersion: reconciler/v1\nkind: FineTuningJob\nmetadata:\n  name: a\nauthorization: Bearer abcdefghijklmnop\nspec:\n  model: m\n  training_file: file-1\n",
        [
            "5:1: authorization: a key must not stand in Git: take it out and revoke it (the history keeps it); the key comes from OPENAI_API_KEY or --api-key-file"
        ],
    ),
    (
        "base_url",
        JOB + "  model: m\n  training_file: file-1\n  base_url: https://example.com/v1\n",
        ["8:3: spec.base_url: no base URL is read from a manifest: set OPENAI_BASE_URL or --base-url"],
    ),
    (
        "headers",
        JOB + "  model: m\n  training_file: file-1\n  headers: {Authorization: Bearer abcdefghijklmnop}\n",
        [
            "8:3: spec.headers: no headers are read from a manifest: set --header; the key comes from OPENAI_API_KEY or --api-key-file"
        ],
    ),
    (
        "proxy",
        JOB + "  model: m\n  training_file: file-1\n  proxy: http://user:password@proxy:3128\n",
        ["8:3: spec.proxy: no proxy is read from a manifest: set HTTPS_PROXY or HTTP_PROXY"],
    ),
    (
        "organization",
        JOB + "  model: m\n  training_file: file-1\n  organization: org-abc\n",
        [
            "8:3: spec.organization: the organization comes from OPENAI_ORG_ID; the Fleet's spec.expect.organization refuses any other"
        ],
    ),
    (
        "project",
        JOB + "  model: m\n  training_file: file-1\n  project: proj_abc\n",
        [
            "8:3: spec.project: the project comes from OPENAI_PROJECT_ID; the Fleet's spec.expect.project refuses any other"
        ],
    ),
    (
        "key beside another mistake",
        JOB + "  model: m\n  training_file: file-1\n  metadata: {a: b, api_key: sk-proj-abcdefghijklmnop, c: 1}\n",
        ["8:55: spec.metadata.c: must be text, not 1: put it in quotes"],
    ),
    (
        "key without a colon",
        JOB + "  model: m\n  training_file: file-1\n  api_key sk-proj-abcdefghijklmnop\n",
        ["8:3: a colon is missing after api_key"],
    ),
    (
        "key as a training file",
        JOB + "  model: m\n  training_file: sk-proj-abcdefghijklmnop\n",
        ["7:3: spec.training_file: [redacted]: no such file"],
    ),
    (
        "provider in the job",
        JOB + "  model: m\n  training_file: file-1\n  provider: openai\n",
        ["8:3: spec.provider: unknown field; it belongs in the Fleet document, as spec.provider"],
    ),
    (
        "training_file missing",
        JOB + "  model: m\n  training_file: nowhere.jsonl\n",
        ["7:3: spec.training_file: nowhere.jsonl: no such file"],
    ),
    (
        "training_file in another case",
        JOB + "  model: m\n  training_file: Train.jsonl\n",
        ["7:3: spec.training_file: Train.jsonl: no such file; did you mean train.jsonl?"],
    ),
    (
        "training_file absolute",
        JOB + "  model: m\n  training_file: /data/train.jsonl\n",
        ["7:3: spec.training_file: /data/train.jsonl: must be a path relative to its manifest"],
    ),
    (
        "training_file outside",
        JOB + "  model: m\n  training_file: ../train.jsonl\n",
        [
            (
                "7:3: spec.training_file: ../train.jsonl: leads outside the fleet directory; "
                "--files-root DIR lets training files stand below DIR, too"
            )
        ],
    ),
    (
        "training_file at home",
        JOB + "  model: m\n  training_file: ~/train.jsonl\n",
        ["7:3: spec.training_file: ~/train.jsonl: ~ is not expanded: write a path relative to its manifest"],
    ),
    (
        "training_file a directory",
        JOB + "  model: m\n  training_file: data\n",
        ["7:3: spec.training_file: data: a directory, not a file"],
    ),
    (
        "training_file a URL",
        JOB + "  model: m\n  training_file: https://example.com/train.jsonl\n",
        [
            "7:3: spec.training_file: https://example.com/train.jsonl: a URL, from which nothing is read: download the file, and write its path, or put id: before it where it is what this server calls a file"
        ],
    ),
    (
        "training_file with backslashes",
        JOB + "  model: m\n  training_file: data\\train.jsonl\n",
        ["7:3: spec.training_file: data\\train.jsonl: no such file; write / for \\"],
    ),
    (
        "training_file in parens id",
        JOB + "  model: m\n  training_file: file_abc\n",
        ["7:3: spec.training_file: file_abc: no such file; did you mean the file id file-abc?"],
    ),
    (
        "training_file by a digest that is too short",
        JOB + "  model: m\n  training_file: sha256:abcd\n",
        [
            "7:3: spec.training_file: sha256:abcd: no such file; bytes that the provider has are named by sha256: and all 64 hex digits"
        ],
    ),
    (
        "adopt a text",
        JOB + "  model: m\n  training_file: file-1\n  policy: {adopt: ftjob-abc}\n",
        ["8:12: spec.policy.adopt: must be a mapping of fields, not ftjob-abc"],
    ),
    (
        "adopt without a revision",
        JOB + "  model: m\n  training_file: file-1\n  policy: {adopt: {job_id: ftjob-abc}}\n",
        [
            '8:12: spec.policy.adopt.revision: required, and not set; for this manifest as it is now, write `revision: "147a8ff0dee29847"`'
        ],
    ),
    (
        "adopt without a revision, built on another job",
        JOB + "  model_from: {job: b}\n  training_file: file-1\n  policy: {adopt: {job_id: ftjob-abc}}\n",
        ["8:12: spec.policy.adopt.revision: required, and not set"],
    ),
    (
        "adopt without a revision, and a file that is not there",
        JOB + "  model: m\n  training_file: none.jsonl\n  policy: {adopt: {job_id: ftjob-abc}}\n",
        [
            "7:3: spec.training_file: none.jsonl: no such file; did you mean train.jsonl?",
            "8:12: spec.policy.adopt.revision: required, and not set",
        ],
    ),
    (
        "adopt without a revision, among other mistakes",
        JOB + "  model: m\n  training_file: file-1\n  seed: -1\n  policy: {adopt: {job_id: ftjob-abc}}\n",
        [
            "8:3: spec.seed: must be greater than or equal to 0, not -1",
            "9:12: spec.policy.adopt.revision: required, and not set",
        ],
    ),
    (
        "adopt with a short revision",
        JOB + "  model: m\n  training_file: file-1\n  policy: {adopt: {job_id: ftjob-abc, revision: abc}}\n",
        [
            '8:39: spec.policy.adopt.revision: must be the 16 digits (0-9, a-f) of a revision, as `reconciler validate DIR -o json` shows it, not abc; for this manifest as it is now, write `revision: "147a8ff0dee29847"`'
        ],
    ),
    ("only a word", "hello\n", ["1:1: a document must be a mapping of fields"]),
    (
        "two mistakes",
        JOB + "  model: m\n  training_file: file-1\n  seed: -1\n  sufix: x\n",
        [
            "8:3: spec.seed: must be greater than or equal to 0, not -1",
            "9:3: spec.sufix: unknown field; did you mean suffix?",
        ],
    ),
    (
        "Windows line ends with a mistake",
        "apiVersion: reconciler/v1\r\nkind: FineTuningJob\r\nmetadata:\r\n  name: a\r\nspec:\r\n  model: m\r\n  training_file: file-1\r\n  seed: -1\r\n",
        ["8:3: spec.seed: must be greater than or equal to 0, not -1"],
    ),
    (
        "camel-case kind of list",
        JOB + "  model: m\n  training_file: file-1\n  validation_files: file-2\n",
        ["8:3: spec.validation_files: unknown field; did you mean validation_file?"],
    ),
    (
        "fleet field in a job",
        JOB + "  model: m\n  training_file: file-1\n  limits: {max_active: 1}\n",
        ["8:3: spec.limits: unknown field; it belongs in the Fleet document, as spec.limits"],
    ),
    (
        "limits field in spec",
        JOB + "  model: m\n  training_file: file-1\n  max_active: 1\n",
        ["8:3: spec.max_active: unknown field; it belongs in the Fleet document, as spec.limits.max_active"],
    ),
]

IN_A_FLEET = [
    (
        "provider misspelt",
        FLEET_HEAD + "  provider: opneai\n",
        [
            "5:3: spec.provider: must be 'openai', 'azure', 'litellm', 'nebius', 'portkey', 'compatible' or 'sandbox', not opneai; did you mean openai?"
        ],
    ),
    (
        "provider in capitals",
        FLEET_HEAD + "  provider: OpenAI\n",
        [
            "5:3: spec.provider: must be 'openai', 'azure', 'litellm', 'nebius', 'portkey', 'compatible' or 'sandbox', not OpenAI; did you mean openai?"
        ],
    ),
    ("provider missing", FLEET_HEAD + "  prune: true\n", ["4:1: spec.provider: required, and not set"]),
    (
        "provider field misspelt",
        FLEET_HEAD + "  providr: openai\n",
        ["5:3: spec.providr: unknown field; did you mean provider?"],
    ),
    (
        "prune a text",
        FLEET_HEAD + "  provider: sandbox\n  prune: yes\n",
        ["6:3: spec.prune: must be true or false, not yes"],
    ),
    (
        "prune quoted",
        FLEET_HEAD + "  provider: sandbox\n  prune: 'true'\n",
        ["6:3: spec.prune: must be true or false, not true: remove the quotes"],
    ),
    (
        "max_cancels a large share",
        FLEET_HEAD + "  provider: sandbox\n  limits: {max_cancels: 150%}\n",
        ["6:12: spec.limits.max_cancels: must be a number from 0, or a share such as 30%, not 150%"],
    ),
    (
        "max_cancels a fraction",
        FLEET_HEAD + "  provider: sandbox\n  limits: {max_cancels: 0.3}\n",
        ["6:12: spec.limits.max_cancels: must be a number from 0, or a share such as 30%, not 0.3"],
    ),
    (
        "max_active zero",
        FLEET_HEAD + "  provider: sandbox\n  limits: {max_active: 0}\n",
        ["6:12: spec.limits.max_active: must be greater than or equal to 1, not 0"],
    ),
    (
        "max_creates negative",
        FLEET_HEAD + "  provider: sandbox\n  limits: {max_creates: -1}\n",
        ["6:12: spec.limits.max_creates: must be greater than or equal to 0, not -1"],
    ),
    (
        "max_cost of nothing",
        FLEET_HEAD + "  provider: sandbox\n  limits: {max_cost: 0}\n",
        ["6:12: spec.limits.max_cost: must be greater than 0, not 0"],
    ),
    (
        "limits field misspelt",
        FLEET_HEAD + "  provider: sandbox\n  limits: {max_cancel: 3}\n",
        ["6:12: spec.limits.max_cancel: unknown field; did you mean max_cancels?"],
    ),
    (
        "limits field in spec",
        FLEET_HEAD + "  provider: sandbox\n  max_active: 3\n",
        ["6:3: spec.max_active: unknown field; it belongs under spec.limits"],
    ),
    (
        "host in spec",
        FLEET_HEAD + "  provider: openai\n  host: api.openai.com\n",
        ["6:3: spec.host: unknown field; it belongs under spec.expect"],
    ),
    (
        "fleet base_url",
        FLEET_HEAD + "  provider: compatible\n  base_url: https://example.com/v1\n",
        ["6:3: spec.base_url: no base URL is read from a manifest: set OPENAI_BASE_URL or --base-url"],
    ),
    (
        "fleet endpoint",
        FLEET_HEAD + "  provider: azure\n  endpoint: https://example.com/v1\n",
        ["6:3: spec.endpoint: no base URL is read from a manifest: set OPENAI_BASE_URL or --base-url"],
    ),
    (
        "fleet api_key",
        FLEET_HEAD + "  provider: openai\n  apiKey: sk-proj-abcdefghijklmnop\n",
        [
            "6:3: spec.apiKey: a key must not stand in Git: take it out and revoke it (the history keeps it); the key comes from OPENAI_API_KEY or --api-key-file"
        ],
    ),
    (
        "fleet expect api_key",
        FLEET_HEAD + "  provider: openai\n  expect: {token: abcdefghijklmnop}\n",
        [
            "6:12: spec.expect.token: a key must not stand in Git: take it out and revoke it (the history keeps it); the key comes from OPENAI_API_KEY or --api-key-file"
        ],
    ),
    (
        "fleet org_id",
        FLEET_HEAD + "  provider: openai\n  org_id: org-abc\n",
        [
            "6:3: spec.org_id: the organization comes from OPENAI_ORG_ID; the Fleet's spec.expect.organization refuses any other"
        ],
    ),
    (
        "fleet project",
        FLEET_HEAD + "  provider: openai\n  project: proj_abc\n",
        [
            "6:3: spec.project: the project comes from OPENAI_PROJECT_ID; the Fleet's spec.expect.project refuses any other"
        ],
    ),
    (
        "fleet proxy",
        FLEET_HEAD + "  provider: openai\n  proxy: http://user:password@proxy:3128\n",
        ["6:3: spec.proxy: no proxy is read from a manifest: set HTTPS_PROXY or HTTP_PROXY"],
    ),
    (
        "fleet state",
        FLEET_HEAD + "  provider: openai\n  state: paused\n",
        ["6:3: spec.state: must be 'active', 'suspended' or 'cancelled', not paused"],
    ),
    (
        "fleet syntax",
        FLEET_HEAD + "  provider: [openai\n",
        ["5:13: this [ is not closed, or a comma is missing before line 6"],
    ),
    (
        "fleet kind misspelt",
        "apiVersion: reconciler/v1\nkind: Fleat\nmetadata: {name: f}\nspec:\n  provider: openai\n",
        ["2:1: kind: must be Fleet or FineTuningJob, not Fleat; did you mean Fleet?"],
    ),
    (
        "fleet kind plural",
        "apiVersion: reconciler/v1\nkind: Fleets\nmetadata: {name: f}\nspec:\n  provider: openai\n",
        ["2:1: kind: must be Fleet or FineTuningJob, not Fleets; did you mean Fleet?"],
    ),
    (
        "fleet apiVersion",
        "apiVersion: reconciler/v2\nkind: Fleet\nmetadata: {name: f}\nspec:\n  provider: openai\n",
        ["1:1: apiVersion: must be reconciler/v1, not reconciler/v2"],
    ),
    (
        "job field in the fleet",
        FLEET_HEAD + "  provider: openai\n  model: m\n",
        ["6:3: spec.model: unknown field; it belongs in the FineTuningJob document, as spec.model"],
    ),
    (
        "expect a text",
        FLEET_HEAD + "  provider: openai\n  expect: api.openai.com\n",
        ["6:3: spec.expect: must be a mapping of fields, not api.openai.com; did you mean {host: api.openai.com}?"],
    ),
]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for name in ("train.jsonl", "data/train.jsonl"):
        (tmp_path / name).write_text('{"messages": []}\n')
    return tmp_path


def answer(directory: Path, name: str, text: str) -> list[str]:
    (directory / name).write_bytes(text.encode())
    problems = read_directory(directory).problems
    shown = "".join(f"{problem} {problem.text}" for problem in problems)
    assert not any(secret in shown for secret in SECRETS), "a key is shown nowhere"
    return [str(problem).removeprefix(f"{name}:") for problem in problems]


@pytest.mark.parametrize(("text", "said"), [row[1:] for row in IN_A_JOB], ids=[row[0] for row in IN_A_JOB])
def test_a_mistake_in_a_job(directory: Path, text: str, said: list[str]) -> None:
    (directory / "fleet.yaml").write_text(FLEET)
    assert answer(directory, "job.yaml", text) == said


@pytest.mark.parametrize(("text", "said"), [row[1:] for row in IN_A_FLEET], ids=[row[0] for row in IN_A_FLEET])
def test_a_mistake_in_a_fleet(directory: Path, text: str, said: list[str]) -> None:
    assert answer(directory, "fleet.yaml", text) == said
