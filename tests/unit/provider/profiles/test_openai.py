"""OpenAI's own API, as the other profiles are measured by."""

from reconciler.core.documents import ProviderName
from tests.fakes.servers import CREATE, KEY, Ask, every_request, said_of


def test_its_requests() -> None:
    asked, headers = every_request(ProviderName.OPENAI, "/v1", organization="org-1", project="proj-1")
    assert asked == [
        Ask("POST", "/v1/fine_tuning/jobs", CREATE),
        Ask("GET", "/v1/fine_tuning/jobs?limit=100", b""),
        Ask("GET", "/v1/fine_tuning/jobs/ftjob-1", b""),
        Ask("POST", "/v1/fine_tuning/jobs/ftjob-1/cancel", b""),
        Ask("POST", "/v1/files", {"purpose": "fine-tune", "file": "{}"}),
        Ask("GET", "/v1/files?purpose=fine-tune&limit=100", b""),
    ]
    for one in headers:
        assert (one["authorization"], one["openai-organization"], one["openai-project"]) == (
            f"Bearer {KEY}",
            "org-1",
            "proj-1",
        )


def test_a_key_is_all_it_needs() -> None:
    assert said_of("openai", "") == ""
    assert "needs a key" in said_of("openai", "", key="")
