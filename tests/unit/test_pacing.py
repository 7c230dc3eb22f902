"""A burst of creates goes as fast as the server's limit allows, and is never refused by it."""

import dataclasses
from pathlib import Path

from reconciler.core.gates import Permission
from tests.fakes.faulty import Reply, Request, reply
from tests.fakes.fleets import FleetDirectory, apply_once
from tests.fakes.forgetful import ForgetfulServer, shows, with_metadata

LIMIT, WINDOW = 3, 60.0


def test_one_apply_makes_more_jobs_than_a_minute_allows(tmp_path: Path) -> None:
    fleet = FleetDirectory(tmp_path / "fleet")
    for number in range(3 * LIMIT):
        fleet.job(f"j{number}")
    left = LIMIT
    refused = 0

    def fault(request: Request, answer: Reply) -> Reply:
        nonlocal left, refused
        if not request.creates:
            return answer
        if left == 0:
            refused += 1
            return reply({}, 429)
        left -= 1
        headers = {"x-ratelimit-remaining-requests": str(left), "x-ratelimit-reset-requests": f"{WINDOW:g}s"}
        return dataclasses.replace(answer, headers={**answer.headers, **headers})

    def waited(seconds: float, _what: object) -> None:
        nonlocal left
        if seconds >= WINDOW / 2:
            left = LIMIT

    with ForgetfulServer(
        read=with_metadata(shows("model", "seed", "training_file")), keeps_names=True, fault=fault
    ) as server:
        result = apply_once(fleet, server.base_url, permission=Permission(first_run=True), waiting=waited)
    assert result.exit_code == 0
    assert len(server.jobs) == 3 * LIMIT
    assert refused == 0
