"""What is a key by its name or its shape, and what is left of a text that holds one."""

import pytest

from reconciler.core.credentials import is_secret, is_secret_in_url, masked, way_of, without_keys

KEY = "sk-abcdefgh12345678"


@pytest.mark.parametrize(
    "field", ["key", "api_key", "apiKey", "API-KEY", "hf_token", "client_secret", "auth", "Bearer"]
)
def test_a_key_is_one_in_any_spelling_of_its_name(field: str) -> None:
    assert is_secret(field)
    assert way_of(field).endswith("the key comes from OPENAI_API_KEY or --api-key-file")
    assert way_of(field, wandb=True).endswith("the provider holds the key of W&B in the settings of your organization")


@pytest.mark.parametrize(
    ("field", "start"),
    [
        ("base_url", "no base URL is read from a manifest"),
        ("headers", "no headers are read from a manifest"),
        ("HTTPS_PROXY", "no proxy is read from a manifest"),
        ("organisation", "the organization comes from OPENAI_ORG_ID"),
        ("project", "the project comes from OPENAI_PROJECT_ID"),
        ("model", ""),
        ("max_tokens", ""),
    ],
)
def test_what_belongs_elsewhere_is_no_secret_and_says_where(field: str, start: str) -> None:
    assert not is_secret(field)
    assert way_of(field).startswith(start)
    assert bool(way_of(field)) is bool(start)


@pytest.mark.parametrize(
    "name", ["sig", "code", "sas", "key", "api-key", "subscription-key", "X-Amz-Signature", "access_token"]
)
def test_more_names_open_a_door_in_a_url(name: str) -> None:
    assert is_secret_in_url(name)


@pytest.mark.parametrize("name", ["api-version", "custom_llm_provider", "tenant", "zipcode", "design", "max_tokens"])
def test_other_names_do_not(name: str) -> None:
    assert not is_secret_in_url(name)


def test_a_name_is_known_by_its_first_characters() -> None:
    """A manifest may hold a name of a megabyte."""
    for asks in (is_secret, is_secret_in_url, way_of):
        assert asks("x" * 57 + "api_key")
        assert not asks("x" * 58 + "api_key")
    assert way_of("-" * 57 + "proxies")
    assert not way_of("-" * 58 + "proxies")
    assert is_secret_in_url("-" * 61 + "sig")
    assert not is_secret_in_url("-" * 62 + "sig")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f"  api_key: {KEY}", f"  api_key: {'*' * len(KEY)}"),
        ("  password: two words", "  password: *** *****"),
        (f"  suffix: {KEY} # mine", f"  suffix: {'*' * len(KEY)} # mine"),
        ("  note: https://u:p@host/x", "  note: https://***@host/x"),
        ("  note: Bearer abc", "  note: Bearer ***"),
        ("  max_tokens: 7", "  max_tokens: 7"),
        ("  model: gpt-4o", "  model: gpt-4o"),
    ],
)
def test_a_line_is_shown_without_its_key_and_every_character_in_its_column(line: str, shown: str) -> None:
    assert masked(line) == shown


def test_a_message_is_shown_without_what_is_a_key_by_its_shape() -> None:
    assert without_keys(f"found {KEY}, and Bearer abc") == "found [redacted], and Bearer [redacted]"
    assert without_keys("api_key: mine") == "api_key: mine"
