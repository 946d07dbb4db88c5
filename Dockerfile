ARG BASE=node:24-bookworm-slim

# Packages as the lock file has them: `npm ci` fails where it and package.json disagree.
FROM ${BASE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json prisma.config.ts ./
COPY prisma prisma
COPY src src
COPY dev/bundle.mjs dev/bundle.mjs
# `prisma generate` never runs the engine that it would download; any file that exists satisfies it.
RUN PRISMA_SCHEMA_ENGINE_BINARY=/usr/local/bin/node CHECKPOINT_DISABLE=1 node_modules/.bin/prisma generate \
 && node dev/bundle.mjs

# What the program loads at run time, and nothing else: a stage of its own, so that nothing pruned stays in a layer.
FROM ${BASE} AS runtime
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund
COPY docker/prune.mjs /tmp/prune.mjs
COPY prisma prisma
COPY sources sources
COPY --from=build /app/dist dist
RUN node /tmp/prune.mjs /app && rm package-lock.json

FROM ${BASE}
# An init as process 1: it hands signals on and reaps what is left behind.
RUN apt-get update \
 && apt-get install -y --no-install-recommends tini \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log
COPY --from=runtime /app /app
WORKDIR /app
ENV NODE_ENV=production HTTP_PORT=8080
# Of V8's four threads beside the main one, which collect and compile, one is enough: four at once hold up everything that
# shares the cores. How large the heap may grow is Node's own choice, which follows the memory of the container; where a
# workload is known, its manifest sets that beside its limit.
ENV NODE_OPTIONS="--v8-pool-size=1"
EXPOSE 8080
# By number, so that Kubernetes can see that it is not root. Nothing is written to the file system.
USER 1000:1000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.HTTP_PORT}/livez`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Last, because they differ from build to build: docker build --build-arg REVISION=$(git rev-parse HEAD) …
ARG VERSION=0.1.0
ARG REVISION=
ARG CREATED=
ARG SOURCE=
LABEL org.opencontainers.image.title="cdr-ingest" \
      org.opencontainers.image.description="Takes call detail records from telephone switches over RabbitMQ into PostgreSQL, exactly once, charged exactly once." \
      org.opencontainers.image.licenses="UNLICENSED" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
ENTRYPOINT ["tini", "--", "node", "/app/dist/cli.js"]
CMD ["worker"]
