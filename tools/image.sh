#!/bin/sh
# Build the image of all services. Usage: tools/image.sh [NAME]   (default kybern/kybern:dev)
# With docker where its daemon answers, else with buildah. Where no registry can be reached, buildah's base image is made
# from Debian's packages.
set -eu
cd "$(dirname "$0")/.."
name=${1:-kybern/kybern:dev}
base=docker.io/library/debian:12-slim

step() { printf '%s\n' "[image] $*"; }

if command -v docker >/dev/null 2>&1 && docker info >/dev/null 2>&1; then
	exec docker build -t "$name" .
fi
if [ "$(id -u)" != 0 ]; then
	echo "[image] neither a docker daemon nor root for buildah" >&2
	exit 1
fi
command -v buildah >/dev/null 2>&1 || {
	step "installing buildah"
	apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends buildah >/dev/null
}
mkdir -p build/image
if ! buildah inspect --type image $base >/dev/null 2>&1 && ! buildah pull -q $base >/dev/null 2>&1; then
	step "no registry: making the base image from Debian's packages"
	command -v mmdebstrap >/dev/null 2>&1 || {
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends mmdebstrap >/dev/null
	}
	mmdebstrap --quiet --variant=minbase --include=ca-certificates bookworm build/image/base.tar
	container=$(buildah from scratch)
	buildah add -q "$container" build/image/base.tar / >/dev/null
	# The certificates of this host, so that the build reaches the same package index.
	buildah copy -q "$container" /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ >/dev/null
	buildah commit -q --rm "$container" $base >/dev/null
	rm build/image/base.tar
fi
step "building $name (some minutes)"
git archive --format=tar HEAD | (rm -rf build/image/src && mkdir build/image/src && tar -x -C build/image/src)
set -- --layers --isolation chroot --network host --pull-never -t "$name"
for variable in PIP_CERT PIP_INDEX_URL UV_INDEX_URL SSL_CERT_FILE; do
	if printenv "$variable" >/dev/null; then set -- "$@" --env "$variable=$(printenv "$variable")"; fi
done
buildah bud -q "$@" build/image/src
rm -rf build/image/src
step "ready: buildah run or buildah push $name"
