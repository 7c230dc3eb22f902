"""What a fleet's jobs cost: the manifests, the files and the operator's prices together."""

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from reconciler.cli.pricing import Pricing, prices_for, pricing_of, tokenizer_for
from reconciler.core.change import Create
from reconciler.core.desired import Desired
from reconciler.core.reason import Reason
from reconciler.core.status import Progress
from reconciler.core.world import World
from reconciler.dataset.prices import listed_prices
from reconciler.errors import UsageError
from reconciler.settings import Settings
from reconciler.source.directory import read_directory
from reconciler.source.known import Known
from tests.fakes.builders import job
from tests.fakes.manifests import manifest

FLEET = "apiVersion: reconciler/v1\nkind: Fleet\nmetadata: {name: f}\nspec: {provider: sandbox}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "fleet"
    root.mkdir()
    (root / "fleet.yaml").write_text(FLEET)
    lines = [json.dumps({"prompt": f"{n} {'x ' * 100}", "completion": "y"}) for n in range(10)]
    (root / "train.jsonl").write_text("\n".join(lines))
    (root / "a.yaml").write_text(manifest("a", "{model: davinci-002, training_file: train.jsonl}"))
    (root / "b.yaml").write_text(manifest("b", "{model_from: {job: a}, training_file: train.jsonl}"))
    (root / "c.yaml").write_text(manifest("c", "{model: unknown, training_file: file-1}"))
    return root


def world_of(root: Path, known: Known | None = None) -> World:
    snapshot = read_directory(root, (), known)
    assert snapshot.fleet is not None
    return World(snapshot.fleet, snapshot.desired, ())


def create(desired: Desired, model: str | None = None) -> Create:
    return Create(desired.name, Reason.NOT_CREATED, "", desired.revision, 1, model=model)


def pricing(root: Path, host: str = "api.openai.com") -> Pricing:
    return pricing_of(Settings(root), host, Known())


def test_a_create_costs_its_tokens_at_the_price_of_its_model(root: Path) -> None:
    world = world_of(root)
    found = pricing(root).of_create(create(world.desired["a"]), world)
    assert (found.model, found.file, found.examples, found.epochs) == ("davinci-002", "train.jsonl", 10, 10)
    assert found.usd == pytest.approx((found.tokens or 0) * 10 * 6 / 1_000_000)


def test_what_is_built_on_another_job_costs_as_the_base_of_that_does(root: Path) -> None:
    world = world_of(root)
    before = pricing(root).of_create(create(world.desired["b"]), world)
    after = pricing(root).of_create(create(world.desired["b"], "ft:davinci-002:acme::x"), world)
    assert before.model == "davinci-002"
    assert before.usd == after.usd
    assert after.usd


def test_a_file_at_the_provider_and_a_model_without_a_price_have_no_cost(root: Path) -> None:
    world = world_of(root)
    found = pricing(root).of_create(create(world.desired["c"]), world)
    assert (found.usd, found.file, found.why) == (None, "file-1", "no price known for unknown")
    known = pricing(root).of_create(create(world.desired["c"], "gpt-4o"), world)
    assert known.why == "its training file file-1 is not here to be counted"


def test_bytes_that_are_not_here_are_named_by_the_beginning_of_their_digest(root: Path) -> None:
    digest = f"sha256:{'a1' * 32}"
    (root / "c.yaml").write_text(manifest("c", f"{{model: gpt-4o, training_file: '{digest}'}}"))
    world = world_of(root)
    found = pricing(root).of_create(create(world.desired["c"]), world)
    assert (found.file, found.why) == (digest[:19], f"its training file {digest[:19]} is not here to be counted")


def test_the_operators_prices_hold_for_their_server(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("date: 2026-01-05\nservers: {gpu.lan: free}\nmodels: {unknown: {per_million_tokens: 1}}\n")
    world = world_of(root)
    own = pricing_of(Settings(root, prices=file), "gpu.lan:8000", Known())
    assert own.of_create(create(world.desired["c"]), world).usd == 0.0
    assert prices_for(file).find("unknown") is not None
    assert prices_for(None) == listed_prices()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a: [", "prices.yaml:1:"),
        (b"a: 1\n---\nb: 1\n", "it must be one document"),
        (b"", "it must be one document"),
        (b"models: {a: 3}\n", "models.a: must be a map"),
        (b"#" * 1_000_001, "longer than 1000000 bytes"),
        (None, "cannot be read"),
    ],
)
def test_prices_that_cannot_be_read_are_an_error_of_usage(tmp_path: Path, content: bytes | None, words: str) -> None:
    file = tmp_path / "prices.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match="--prices") as caught:
        prices_for(file)
    assert words in str(caught.value)


def test_a_tokenizer_that_is_none_is_an_error_of_usage(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text("{}")
    with pytest.raises(UsageError, match="--tokenizer"):
        tokenizer_for(tmp_path / "t.json")
    assert tokenizer_for(None) is None


def test_a_live_job_has_cost_its_share_of_what_it_was_to_cost(root: Path) -> None:
    known = Known()
    world = world_of(root, known)
    prices = pricing_of(Settings(root), "api.openai.com", known)
    whole = prices.of_create(create(world.desired["a"]), world).usd
    assert whole
    form, live = world.desired["a"].form, replace(job(), model="davinci-002")
    assert prices.so_far(live, Progress(40, 100, {}), form) == pytest.approx(whole * 0.4)
    assert prices.so_far(live, Progress(400, 100, {}), form) == pytest.approx(whole)
    assert prices.so_far(live, Progress(40, None, {}), form) is None
    assert prices.so_far(live, None, form) is None
    assert prices.so_far(live, Progress(40, 100, {}), None) is None
    assert prices.so_far(live, Progress(40, 100, {}), {"training_file": "file-1"}) is None
    assert prices.so_far(live, Progress(40, 100, {}), {"training_file": "sha256:00"}) is None


def test_what_was_trained_counts_before_any_estimate(root: Path) -> None:
    trained = replace(job(), model="davinci-002", trained_tokens=500_000)
    assert pricing(root).of_job(trained) == 3.0
    assert pricing(root).so_far(trained, Progress(1, 2, {}), {}) == 3.0
    assert pricing(root).of_job(replace(trained, model="unknown")) is None


def test_the_sandbox_has_cost_nothing(root: Path) -> None:
    trained = replace(job(), model="davinci-002", trained_tokens=500_000)
    assert pricing(root, "sandbox").of_job(trained) == 0.0
