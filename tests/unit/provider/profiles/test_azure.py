"""Azure's three kinds of base URL, and how a key and a token are shown to each."""

import pytest

from reconciler.core.documents import ProviderName
from reconciler.provider.profile import Auth, Reach
from reconciler.provider.profiles.azure import scope_of
from tests.fakes.servers import CREATE, KEY, Ask, every_request, said_of

VERSION = {"api-version": "2024-10-21"}


@pytest.mark.parametrize(
    ("path", "query", "asks"),
    [
        ("/openai/v1", {}, ""),
        ("/openai/v1", {"api-version": "preview"}, "api-version=preview"),
        ("/api/projects/P/openai/v1", {}, ""),
        ("/openai", VERSION, "api-version=2024-10-21"),
    ],
)
def test_its_requests(path: str, query: dict[str, str], asks: str) -> None:
    asked, headers = every_request(ProviderName.AZURE, path, query=query)
    alone, more = (f"?{asks}", f"?{asks}&") if asks else ("", "?")
    assert asked == [
        Ask("POST", f"{path}/fine_tuning/jobs{alone}", CREATE),
        Ask("GET", f"{path}/fine_tuning/jobs{more}limit=100", b""),
        Ask("GET", f"{path}/fine_tuning/jobs/ftjob-1{alone}", b""),
        Ask("POST", f"{path}/fine_tuning/jobs/ftjob-1/cancel{alone}", b""),
        Ask("POST", f"{path}/files{alone}", {"purpose": "fine-tune", "file": "{}"}),
        Ask("GET", f"{path}/files{more}purpose=fine-tune&limit=100", b""),
    ]
    for one in headers:
        assert one["api-key"] == KEY
        assert "authorization" not in one


def test_a_key_may_be_sent_as_bearer() -> None:
    _, headers = every_request(ProviderName.AZURE, "/openai/v1", auth=Auth.BEARER)
    for one in headers:
        assert one["authorization"] == f"Bearer {KEY}"
        assert "api-key" not in one


CLASSIC = "needs its version: --query api-version=2024-10-21"
ENDS = "ends in /openai/v1, or in /openai with --query api-version=2024-10-21"


@pytest.mark.parametrize(
    ("url", "query", "said"),
    [
        ("", (), "provider azure needs a base URL"),
        ("https://r.openai.azure.com/openai/v1", (), ""),
        ("https://r.openai.azure.com/openai/v1/", (), ""),
        ("https://r.services.ai.azure.com/api/projects/p/openai/v1", (), ""),
        ("https://gateway.example/somewhere/v1", (), ""),
        ("https://r.openai.azure.com/openai", tuple(VERSION.items()), ""),
        ("https://gateway.example/openai", tuple(VERSION.items()), ""),
        ("https://r.openai.azure.com/openai", (), CLASSIC),
        ("https://gateway.example", (), CLASSIC),
        ("https://r.openai.azure.com", (), ENDS),
        ("https://r.openai.azure.com/", tuple(VERSION.items()), ENDS),
        ("https://r.openai.azure.us", (), ENDS),
        ("https://r.openai.azure.com/openai/deployments/d", tuple(VERSION.items()), "before /deployments"),
        ("https://r.services.ai.azure.com/api/projects/p", tuple(VERSION.items()), "/api/projects/NAME/openai/v1"),
        ("https://r.openai.azure.com/openai?api-version=1", (), "--query NAME=VALUE"),
    ],
)
def test_what_it_needs(url: str, query: tuple[tuple[str, str], ...], said: str) -> None:
    answer = said_of("azure", url, query=query)
    assert said in answer
    assert bool(said) == bool(answer)


@pytest.mark.parametrize(
    ("url", "scope"),
    [
        ("https://r.openai.azure.com/openai/v1", "https://cognitiveservices.azure.com/.default"),
        ("https://r.openai.azure.com/openai", "https://cognitiveservices.azure.com/.default"),
        ("https://r.services.ai.azure.com/openai/v1", "https://cognitiveservices.azure.com/.default"),
        ("https://r.services.ai.azure.com/api/projects/p/openai/v1", "https://ai.azure.com/.default"),
    ],
)
def test_what_a_token_is_asked_for(url: str, scope: str) -> None:
    assert scope_of(Reach(url)) == scope
