#!/usr/bin/env bash
# Creates one of our Python virtual environments from its hashed lock, after uv if it is missing.
#
#   infra/install/bootstrap.sh PARTS NAME      PARTS: folder of everything that is fetched
#
# Reads infra/install/locks/NAME.lock.txt. Writes PARTS/environments/NAME. It copies the lock there
# last, so an incomplete virtual environment is made again. If the lock has not changed, it does
# nothing.
set -euo pipefail
parts=$(mkdir -p "$1" && cd "$1" && pwd)
virtualenv=$2
cd "$(dirname "$0")/../.."
locks=infra/install/locks

fail() { printf 'tributary: %s\n' "$*" >&2; exit 1; }

find_python() {
    local candidate
    for candidate in "${PYTHON:-python3}" python3.12 python3.11; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' \
            2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    fail "no Python 3.11 or 3.12 (python3 is $(python3 --version 2>&1));" \
        "install one, or give its path: make run PYTHON=/path/to/python3.12"
}

make_uv() {
    local target=$parts/environments/uv
    cmp -s $locks/uv.lock.txt "$target/lock.txt" && return
    printf 'fetching uv\n'
    rm -rf "$target"
    "$(find_python)" -m venv "$target" \
        || fail "python3 can't make virtual environments; on Debian: apt-get install python3-venv"
    "$target/bin/pip" --quiet --disable-pip-version-check install --require-hashes \
        -r $locks/uv.lock.txt
    cp $locks/uv.lock.txt "$target/lock.txt"
}

make_virtualenv() {
    local target=$parts/environments/$virtualenv started=$SECONDS
    cmp -s "$locks/$virtualenv.lock.txt" "$target/lock.txt" \
        && grep -q '^relocatable = true' "$target/pyvenv.cfg" && return
    printf 'fetching the virtual environment %s\n' "$virtualenv"
    local uv=$parts/environments/uv/bin/uv
    export UV_CACHE_DIR=$parts/cache/uv UV_PYTHON_DOWNLOADS=never
    rm -rf "$target"
    # Relocatable: its programs still start after the checkout was moved.
    "$uv" venv --quiet --relocatable --python "$(find_python)" "$target"
    "$uv" pip install --quiet --python "$target/bin/python" --require-hashes \
        -r "$locks/$virtualenv.lock.txt"
    cp "$locks/$virtualenv.lock.txt" "$target/lock.txt"
    printf 'virtual environment %s ready after %d s\n' "$virtualenv" $((SECONDS - started))
}

make_uv
make_virtualenv
