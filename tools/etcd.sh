#!/bin/sh
# Build a newer etcd than Debian's from its Go module, for the store's contract tests. Optional: without it (or without
# Go) they run against the etcd on the PATH alone. Usage: tools/etcd.sh [OUTPUT]   (default build/tools/etcd-3.6)
set -eu
cd "$(dirname "$0")/.."
output=$(pwd)/${1:-build/tools/etcd-3.6}
if ! command -v go >/dev/null 2>&1; then
	echo "[etcd] no Go here: leaving it out" >&2
	exit 0
fi
mkdir -p "$(dirname "$output")"
cd tests/contract/store/etcd
GOFLAGS=-mod=readonly go build -trimpath -buildvcs=false -ldflags "-s -w" -o "$output" .
echo "[etcd] built $("$output" --version | head -1)"
