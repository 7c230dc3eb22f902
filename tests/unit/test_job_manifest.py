"""The manifest of a job that exists: what any server may show of one, as far as a manifest can say it."""

from typing import Any

import pytest
import yaml

from reconciler.cli.job_manifest import JobManifest, UnfitError, manifest_of, name_for

SHOWN: dict[str, Any] = {
    "id": "j1",
    "model": "gpt-4o-mini-2024-07-18",
    "training_file": "file-1",
    "validation_file": None,
    "user_provided_suffix": "support",
    "seed": 7,
    "hyperparameters": {"n_epochs": 3},
    "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}, "dpo": None},
    "integrations": [],
    "metadata": {},
}


def made(**shown: Any) -> JobManifest:
    return manifest_of({**SHOWN, **shown}, "j1", "support")


def spec(manifest: JobManifest) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(manifest.text)["spec"]
    assert found.pop("policy") == {"adopt": {"job_id": "j1", "revision": manifest.revision}}
    return found


def test_it_says_what_is_shown_once_and_adopts_the_job_for_that() -> None:
    assert spec(made()) == {
        "model": "gpt-4o-mini-2024-07-18",
        "training_file": "file-1",
        "suffix": "support",
        "seed": 7,
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}},
    }
    assert made().left_out == ()
    assert "not imported" not in made().text


@pytest.mark.parametrize(
    ("shown", "field", "value"),
    [
        ({"method": None}, "hyperparameters", {"n_epochs": 3}),
        (
            {"method": {"type": "mystery"}, "hyperparameters": {"n_epochs": "auto"}},
            "hyperparameters",
            {"n_epochs": "auto"},
        ),
        ({"method": None, "hyperparameters": {"n_epochs": "3"}}, "hyperparameters", {"n_epochs": 3}),
        ({"seed": "7.0"}, "seed", 7),
        ({"user_provided_suffix": None, "suffix": "by-another-name"}, "suffix", "by-another-name"),
        ({"metadata": {"a": "b", "reconciler_x": "y"}}, "metadata", {"a": "b"}),
        ({"validation_file": "file-2"}, "validation_file", "file-2"),
        ({"validation_file": "v.jsonl"}, "validation_file", "id:v.jsonl"),
        ({"training_file": "9f3c/train"}, "training_file", "id:9f3c/train"),
        ({"training_file": "gs://b/train"}, "training_file", "gs://b/train"),
    ],
)
def test_whatever_the_spelling(shown: dict[str, Any], field: str, value: object) -> None:
    manifest = made(**shown)
    assert spec(manifest)[field] == value
    assert manifest.left_out == ()


@pytest.mark.parametrize(
    ("shown", "field", "left_out"),
    [
        ({"seed": 2**40}, "seed", "seed: must be less than or equal to 2147483647, not 1099511627776"),
        ({"user_provided_suffix": "x" * 65}, "suffix", "suffix: must have at most 64 characters, and has 65"),
        (
            {"validation_file": "a\nb"},
            "validation_file",
            "validation_file: a\\x0ab is no file id that a manifest can name",
        ),
        ({"integrations": [{"type": "mlflow"}]}, "integrations", "integrations.0."),
        ({"metadata": {"k": "v" * 513}}, "metadata", "metadata: k: a key has 1 to 64 characters, a value at most 512"),
        ({"method": {"type": "dpo", "dpo": {"hyperparameters": {"lora": 8}}}}, None, "lora: unknown field"),
    ],
)
def test_what_a_manifest_cannot_say_is_left_out_and_named(
    shown: dict[str, Any], field: str | None, left_out: str
) -> None:
    manifest = made(**shown)
    assert field not in spec(manifest)
    assert left_out in manifest.left_out[0]
    assert "# not imported: " in manifest.text


def test_a_large_metadata_is_left_out_whole() -> None:
    pairs = {f"k{n}": "v" for n in range(16)}
    assert "metadata" not in spec(made(metadata=pairs))


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        ({"model": None}, "model"),
        ({"model": ""}, "model"),
        ({"training_file": None}, "training_file"),
        ({"training_file": "x" * 513}, "is no file id that a manifest can name"),
        ({"model": "x" * 300}, "model"),
    ],
)
def test_a_job_of_which_too_little_is_shown_has_no_manifest(shown: dict[str, Any], why: str) -> None:
    with pytest.raises(UnfitError, match=why):
        made(**shown)


def test_what_a_server_says_stays_a_comment() -> None:
    manifest = made(method={"type": "dpo", "dpo": {"hyperparameters": {"a\nb: c": 1}}})
    assert spec(manifest)["method"] == {"type": "dpo"}


@pytest.mark.parametrize(
    ("wish", "taken", "name"),
    [
        ("Support Bot", (), "support-bot"),
        ("gpt-4.1-mini", (), "gpt-4-1-mini"),
        ("\u8266", (), "job"),
        ("a" * 80, (), "a" * 63),
        ("a" * 80, ("a" * 63,), "a" * 61 + "-2"),
        ("a", ("a", "a-2"), "a-3"),
        ("--x--", (), "x"),
    ],
)
def test_a_name_is_a_dns_label_of_its_own(wish: str, taken: tuple[str, ...], name: str) -> None:
    assert name_for(wish, taken) == name
