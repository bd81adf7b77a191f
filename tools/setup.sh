#!/bin/sh
# Install what Kybern needs on a Debian 12 machine: system packages (as root), a virtual environment from the lock
# file, generated code. Does nothing that is already done. Usage: tools/setup.sh [nodes|tests]
#   nodes   what a cluster with real nodes needs (default)
#   tests   that, and what the tests need
set -eu
cd "$(dirname "$0")/.."
what=${1:-nodes}
packages="containerd runc containernetworking-plugins libnftables1 nftables iptables conntrack iproute2 busybox-static catatonit"
[ "$what" = tests ] && packages="$packages etcd-server dnsutils wrk nginx-light procps"

step() { printf '%s\n' "[setup] $*"; }

install_packages() {
	missing=""
	for package in "$@"; do
		dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q "ok installed" || missing="$missing $package"
	done
	[ -z "$missing" ] && return 0
	if [ "$(id -u)" != 0 ]; then
		step "not root: leaving out$missing (nodes will be simulated)"
		return 0
	fi
	step "installing$missing"
	apt-get update -qq
	# Services that packages would start are left off: Kybern runs its own.
	printf '#!/bin/sh\nexit 101\n' > build/policy-rc.d
	chmod +x build/policy-rc.d
	if [ ! -e /usr/sbin/policy-rc.d ]; then
		cp build/policy-rc.d /usr/sbin/policy-rc.d
		trap 'rm -f /usr/sbin/policy-rc.d' EXIT
	fi
	# shellcheck disable=SC2086
	DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing > build/apt.log 2>&1 || {
		tail -20 build/apt.log
		echo "[setup] apt-get failed; see build/apt.log" >&2
		exit 1
	}
	rm -f /usr/sbin/policy-rc.d
	trap - EXIT
}

# Debian's own Python, where it is new enough, is built with profiles and a quarter faster than most that people build.
find_python() {
	for python in /usr/bin/python3 python3.11 python3; do
		command -v "$python" >/dev/null 2>&1 && "$python" -c "$1" 2>/dev/null && return 0
	done
	return 1
}

make_environment() {
	enough='import sys; assert sys.version_info >= (3, 11)'
	find_python "$enough" || install_packages python3 python3-venv
	if ! find_python "$enough"; then
		echo "[setup] Python 3.11 or newer is needed (apt-get install python3 python3-venv)" >&2
		exit 1
	fi
	case $python in
		/usr/bin/*) "$python" -c 'import ensurepip, venv' 2>/dev/null || install_packages python3-venv ;;
	esac
	find_python "$enough; import ensurepip, venv" || {
		echo "[setup] Python's venv module is needed (apt-get install python3-venv)" >&2
		exit 1
	}
	stamp=.venv/.lock
	if [ ! -x .venv/bin/python ] || ! cmp -s requirements-dev.lock "$stamp"; then
		step "making the virtual environment from requirements-dev.lock"
		[ -x .venv/bin/python ] || "$python" -m venv .venv
		.venv/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-uv.lock
		# What runs is compiled now, or the first starts of a cluster would take the time (or all, if nothing may be written).
		.venv/bin/uv pip install -q --python .venv/bin/python --require-hashes --compile-bytecode -r requirements.lock
		.venv/bin/uv pip install -q --python .venv/bin/python --require-hashes -r requirements-dev.lock
		.venv/bin/uv pip install -q --python .venv/bin/python --no-deps --no-build-isolation -e .
		cp requirements-dev.lock "$stamp"
	fi
}

mkdir -p build
# shellcheck disable=SC2086
install_packages $packages
make_environment
.venv/bin/python tools/protos.py
.venv/bin/python -m compileall -q -j 0 libs services
PATH=$PATH:$(pwd)/build/tools/go/bin
if [ "$what" = tests ] && ! command -v go >/dev/null 2>&1; then
	.venv/bin/python tools/go.py || step "without Go, tests of newer kubectls, Helm and Go clients are left out"
fi
built=build/tools/kubectl-1.36
[ "$what" != tests ] || [ -x $built ] || ! command -v go >/dev/null 2>&1 || sh tools/kubectl.sh $built
if ! command -v kubectl >/dev/null 2>&1 && [ ! -x build/tools/kubectl ]; then
	if [ -x $built ]; then ln -s kubectl-1.36 build/tools/kubectl; else sh tools/kubectl.sh; fi
fi
step "ready"
