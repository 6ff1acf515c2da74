#!/usr/bin/env bash
# Makes OUT/venv with what the check of the manifests needs, and then OUT/pypi.status.
set -uo pipefail

home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
out=$1
python3 -m venv "$out/venv" && "$out/venv/bin/pip" --quiet --disable-pip-version-check install --no-compile \
    -r "$home/kubernetes/requirements.txt"
echo $? > "$out/pypi.status"
