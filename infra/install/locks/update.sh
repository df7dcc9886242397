#!/usr/bin/env bash
# Pins all versions again: Python with uv, Kafka and Connect with jgo, MinIO's and Caddy's modules
# with go, and single files (artifacts.toml) with our own program.
#
#   infra/install/locks/update.sh PARTS
set -euo pipefail
parts=$(cd "$1" && pwd)
cd "$(dirname "$0")"

for source in *.in; do
    "$parts/environments/uv/bin/uv" pip compile --quiet --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-annotate \
        --custom-compile-command "make locks" -o "${source%.in}.lock.txt" "$source"
done
for part in kafka connect; do
    (cd "$part" && "$parts/environments/tools/bin/jgo" --quiet lock)
done
for part in minio caddy; do
    (cd "$part" && GOTOOLCHAIN=local "$parts/environments/go/bin/go" mod tidy)
done
cd ../../.. && "$parts/environments/tools/bin/python" -m infra.install.locking
