#!/bin/sh
# Build what the suite needs into build/tools/conformance, and containerd 2 with a registry into build/tools/containerd-2
# beside it, from the Go modules that go.mod and runtime/go.mod pin. About fifteen minutes the first time.
# Usage: tests/conformance/build.sh [OUTPUT]
set -eu
cd "$(dirname "$0")"
output=$(realpath -m "${1:-../../build/tools/conformance}")
mkdir -p "$output"
export CGO_ENABLED=0 GOFLAGS="-mod=mod -trimpath -buildvcs=false"
step() { printf '%s\n' "[conformance] building $1"; }
if [ ! -x "$output/e2e.test" ]; then
	step "the suite"
	nice go test -c -ldflags "-s -w" -o "$output/e2e.test" k8s.io/kubernetes/test/e2e
fi
for program in kubernetes/test/images/agnhost kubernetes/test/images/nonewprivs sample-apiserver; do
	name=$(basename "$program")
	[ -x "$output/$name" ] && continue
	step "$name"
	nice go build -ldflags "-s -w" -o "$output/$name" "k8s.io/$program"
done
source=$(go list -m -f '{{.Dir}}' k8s.io/kubernetes)
mkdir -p "$output/files/nautilus" "$output/files/kitten"
cp "$source/test/images/agnhost/porter/localhost.crt" "$source/test/images/agnhost/porter/localhost.key" "$output/files/"
cp "$source/test/images/nautilus/html/"* "$output/files/nautilus/"
cp "$source/test/images/kitten/html/"* "$output/files/kitten/"
cp "$source/test/conformance/testdata/conformance.yaml" "$output/"
chmod -R u+w "$output/files" "$output/conformance.yaml"

runtime=$(dirname "$output")/containerd-2
mkdir -p "$runtime"
containerd=github.com/containerd/containerd/v2/cmd
for program in "$containerd/containerd" "$containerd/containerd-shim-runc-v2" "$containerd/ctr" ./registry; do
	name=$(basename "$program")
	[ -x "$runtime/$name" ] && continue
	step "$name"
	(cd runtime && nice go build -tags "no_btrfs no_devmapper no_zfs" -ldflags "-s -w" -o "$runtime/$name" "$program")
done
if [ ! -x "$output/busybox" ]; then
	step "busybox"
	./busybox.sh "$output/busybox"
fi
