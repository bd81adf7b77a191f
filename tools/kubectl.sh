#!/bin/sh
# Provide a kubectl where there is none: built from its Go module when a Go that can is here, else Debian's package.
# Usage: tools/kubectl.sh [OUTPUT]   (default build/tools/kubectl)
set -eu
cd "$(dirname "$0")/.."
output=${1:-build/tools/kubectl}
version=$(sed -n 's|^.*k8s.io/kubectl v0\.\([0-9.]*\).*$|1.\1|p' tests/clients/kubectl/go.mod | head -1)
minor=$(echo "$version" | cut -d. -f2)
if command -v go >/dev/null 2>&1; then
	echo "[setup] building kubectl $version (takes a minute or two)"
	mkdir -p "$(dirname "$output")"
	stamp="k8s.io/component-base/version"
	target=$(pwd)/$output
	if (cd tests/clients/kubectl && GOFLAGS=-mod=readonly go build -trimpath -buildvcs=false -ldflags \
		"-s -w -X $stamp.gitVersion=v$version -X $stamp.gitMajor=1 -X $stamp.gitMinor=$minor" -o "$target" .); then
		exit 0
	fi
	echo "[setup] the build failed" >&2
fi
if [ "$(id -u)" = 0 ]; then
	echo "[setup] installing Debian's kubectl (old, but good enough for the demo)"
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends kubernetes-client >/dev/null
else
	echo "[setup] no kubectl here; put one on the PATH" >&2
fi
