#!/bin/sh
# Build the kube-apiserver to compare with, and the etcd it stores in, into build/tools. Two minutes the first time.
# With `controllers`, a kube-controller-manager as well (test_type_checking.py).
set -eu
cd "$(dirname "$0")/../.."
output=$PWD/build/tools
[ -x "$output/etcd-3.6" ] || sh tools/etcd.sh
mkdir -p "$output"
version=k8s.io/component-base/version
programs=kube-apiserver
[ "${1-}" = controllers ] && programs="$programs kube-controller-manager"
cd tests/conformance
for program in $programs; do
	[ -x "$output/$program-1.36" ] && continue
	printf '%s\n' "[compare] building $program 1.36"
	CGO_ENABLED=0 GOFLAGS="-mod=mod -trimpath -buildvcs=false" nice go build \
		-ldflags "-s -w -X $version.gitVersion=v1.36.0 -X $version.gitMajor=1 -X $version.gitMinor=36" \
		-o "$output/$program-1.36" "k8s.io/kubernetes/cmd/$program"
done
