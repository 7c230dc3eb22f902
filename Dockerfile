# The base is pinned by its release; an update is a commit.
FROM python:3.12.8-slim-bookworm AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY reconciler ./reconciler
RUN python -m venv /opt/reconciler && /opt/reconciler/bin/pip install --no-cache-dir .

FROM python:3.12.8-slim-bookworm
RUN useradd --uid 65532 --create-home --shell /usr/sbin/nologin reconciler
COPY --from=build /opt/reconciler /opt/reconciler
ENV PATH=/opt/reconciler/bin:$PATH PYTHONUNBUFFERED=1
USER 65532:65532
WORKDIR /fleet
ENTRYPOINT ["reconciler"]
