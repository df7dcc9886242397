#!/usr/bin/env bash
# Pins all versions again: Python with uv, Kafka and Connect with jgo, the modules of Go programs with
# go, and single files (artifacts.toml) with our own program. Then says which parts are outdated.
#
#   infra/install/locks/update.sh PARTS [--upgrade]
#
# A Python package keeps its version if its `.in` file still allows it. With --upgrade, it gets the
# newest version that the file allows.
set -euo pipefail
parts=$(cd "$1" && pwd)
cd "$(dirname "$0")"

for source in *.in; do
    "$parts/environments/uv/bin/uv" pip compile --quiet --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-annotate "${@:2}" \
        --custom-compile-command "make locks" -o "${source%.in}.lock.txt" "$source"
done
for part in kafka connect; do
    (cd "$part" && "$parts/environments/tools/bin/jgo" --quiet lock)
done
for lock in */go.mod; do
    (cd "${lock%/go.mod}" && GOTOOLCHAIN=local "$parts/environments/go/bin/go" mod tidy)
done
cd ../../..
"$parts/environments/tools/bin/python" -m infra.install.locking
"$parts/environments/tools/bin/python" -m infra.install.outdated "$parts"
