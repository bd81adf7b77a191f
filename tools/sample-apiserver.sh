#!/bin/sh
# Builds Kubernetes' own example of an extension API server, for tests/clients; needs Go. Usage: sh tools/sample-apiserver.sh [FILE]
set -eu
target=${1:-build/tools/sample-apiserver-0.36}
[ -x "$target" ] && exit 0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
GOBIN=$folder go install k8s.io/sample-apiserver@v0.36.0
mkdir -p "$(dirname "$target")"
mv "$folder/sample-apiserver" "$target"
