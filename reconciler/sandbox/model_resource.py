"""Models over HTTP: the bases, and what succeeded jobs have made of them.

Routed to by `app`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from . import lifecycle, models, wire
from .answers import answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from .store import Store


@dataclass(frozen=True, slots=True)
class ModelResource:
    store: Store
    clock: Callable[[], float]

    def collection(self, _http: Request) -> Response:
        now = self.clock()
        bases = [wire.model(name) for name in models.BASES]
        made = [
            wire.model(job.fine_tuned_model, created=lifecycle.finished_at(job, now) or 0, owner="org-sandbox")
            for job in self.store.all_jobs()
            if lifecycle.status(job, now) == "succeeded"
        ]
        return answer({"object": "list", "data": bases + made})

    def retrieve(self, http: Request) -> Response:
        name: str = http.path_params["id"]
        if not models.is_base(name) and not models.is_ready(name, self.clock(), self.store.job_by_model):
            raise models.unknown(name, status=404)
        return answer(wire.model(models.snapshot(name)))
