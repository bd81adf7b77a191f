#!/bin/sh
# Build the kube-apiserver to compare with, and the etcd it stores in, into build/tools. Two minutes the first time.
set -eu
cd "$(dirname "$0")/../.."
output=$PWD/build/tools
[ -x "$output/etcd-3.6" ] || sh tools/etcd.sh
[ -x "$output/kube-apiserver-1.36" ] && exit 0
mkdir -p "$output"
version=k8s.io/component-base/version
printf '%s\n' "[compare] building kube-apiserver 1.36"
cd tests/conformance
CGO_ENABLED=0 GOFLAGS="-mod=mod -trimpath -buildvcs=false" nice go build \
	-ldflags "-s -w -X $version.gitVersion=v1.36.0 -X $version.gitMajor=1 -X $version.gitMinor=36" \
	-o "$output/kube-apiserver-1.36" k8s.io/kubernetes/cmd/kube-apiserver
