# One image for every part: the command says which, `docker-compose.yml` shows all.

FROM node:24-bookworm-slim AS node

FROM python:3.11-slim-bookworm AS build
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=node /usr/local/lib/node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \
 && python -m venv /app/.venv
WORKDIR /app
# The packages first: they change less often than the source.
COPY pyproject.toml ./
RUN .venv/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"], sep="\n")' > packages.txt \
 && .venv/bin/pip install --quiet --no-cache-dir --requirement packages.txt
COPY . .
RUN .venv/bin/pip install --quiet --no-cache-dir --no-deps --editable . \
 && .venv/bin/python -m web.snippet_build \
 && rm -rf node_modules

FROM python:3.11-slim-bookworm
RUN useradd --system --uid 10001 --no-create-home skvoz \
 && install -d -o skvoz -g skvoz -m 0700 /var/lib/skvoz
COPY --from=build /app /app
WORKDIR /app
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    SKVOZ_DATA=/var/lib/skvoz
USER skvoz
EXPOSE 8080 2525
VOLUME /var/lib/skvoz
# Without DATABASE_URL and REDIS_URL the embedded engines are started: one container is all.
CMD ["skvoz", "run"]
