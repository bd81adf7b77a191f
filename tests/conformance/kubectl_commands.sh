#!/bin/bash
# Run kubectl's own command tests, test/cmd of the Kubernetes module, against apiserver, gateway and controllers alone (as
# upstream does: no scheduler, no node agent). Usage: tests/conformance/kubectl_commands.sh [NAME …], such as: crd wait
set -o errexit -o nounset -o pipefail
root=$(realpath "$(dirname "$0")/../..")
built=$root/build/tools/kubectl-commands
python=$root/.venv/bin/python

inside() { # in a copy of upstream's scripts, with their own functions; file descriptor 3 gets a line for each test
	export HOME=$TMPDIR/home WHAT=$1 LANG=C TERM=xterm SED=sed KUBE_JUNIT_REPORT_DIR=$TMPDIR/junit
	source hack/lib/init.sh
	source hack/lib/test.sh
	source test/cmd/legacy-script.sh
	eval "$(declare -f record_command | sed '1s/record_command/upstream_record_command/')"
	record_command() {
		local before=$foundError
		upstream_record_command "$@"
		[[ $foundError == "$before" ]] && echo "PASS $1" >&3 || echo "FAIL $1" >&3
	}
	KUBE_TEMP=$TMPDIR CONTEXT=test SUPPORTED_RESOURCES=("*")
	kubectl config set-credentials test-admin --token admin-token
	kubectl config set-cluster local --insecure-skip-tls-verify --server "https://127.0.0.1:$SECURE_API_PORT"
	kubectl config set-context test --user test-admin --cluster local
	kubectl config use-context test
	source "$TMPDIR/create_node.sh"
	create_node
	runTests
}

if [[ ${1-} == --inside ]]; then
	inside "${*:2}"
	exit
fi

build() { # kubectl of the version that the server names, or --match-server-version refuses it
	local server stamp=k8s.io/component-base/version
	server=$("$python" -c 'from kybern.gateway.handlers.documents import VERSION; print(VERSION["gitVersion"])')
	mkdir -p "$built"
	cd "$root/tests/conformance"
	for program in kubectl kubectl-convert; do
		[[ -x $built/$program ]] || CGO_ENABLED=0 GOFLAGS="-mod=mod -trimpath -buildvcs=false" go build -o "$built/$program" \
			-ldflags "-s -w -X $stamp.gitVersion=$server -X $stamp.gitCommit= -X $stamp.gitTreeState=clean" \
			"k8s.io/kubernetes/cmd/$program"
	done
	upstream=$(go list -m -f '{{.Dir}}' k8s.io/kubernetes)
}

copy() { # module archives keep no executable bits, and there may be no network
	mkdir -p "$work/k8s/test/e2e" "$work/k8s/third_party/forked" "$work/k8s/_output" "$work/home"
	cp -r "$upstream/hack" "$work/k8s/"
	cp -r "$upstream/test/cmd" "$upstream/test/fixtures" "$work/k8s/test/"
	cp -r "$upstream/test/e2e/testing-manifests" "$work/k8s/test/e2e/"
	cp -r "$upstream/third_party/forked/shell2junit" "$work/k8s/third_party/forked/"
	chmod -R u+w "$work/k8s"
	find "$work/k8s/test/fixtures" -name 'kubectl-*' -type f -exec chmod +x {} +
	ln -s "$built" "$work/k8s/_output/bin"
	sed -i "s#https://raw.githubusercontent.com/kubernetes/kubernetes/master#http://127.0.0.1:$((port + 1))#" \
		"$work/k8s/test/cmd/generic-resources.sh"
	awk '/^function create_node/ {on = 1} on {print} on && /^__EOF__/ {print "}"; exit}' \
		"$upstream/hack/make-rules/test-cmd.sh" >"$work/create_node.sh"
}

start() { # $1 names the service, the rest is its flags
	"$python" -m "kybern.$1" --address "unix:$work/$1.sock" --pki "$data/pki/$1" "${@:2}" >"$work/$1.log" 2>&1 &
	pids+=($!)
}

cluster() {
	local tests=$work/k8s/hack/testdata api=unix:$work/apiserver.sock off
	off=ServiceAccount,DefaultStorageClass,DefaultTolerationSeconds,MutatingAdmissionWebhook,ValidatingAdmissionWebhook
	"$root/.venv/bin/kybern" up --data-dir "$data" --secure-port 0 --simulated-nodes 1 >/dev/null # for its certificates
	"$root/.venv/bin/kybern" down --data-dir "$data" >/dev/null
	cp "$data/pki/gateway/tls.crt" "$work/apiserver.crt"
	start apiserver --store "sqlite:$work/store.db" --service-account-key "$data/pki/sa.key" --traces none \
		--service-account-issuer https://kubernetes.default.svc --service-cluster-ip-range 10.0.0.0/24 \
		--proxy-client "$data/pki/front-proxy-client" --advertise-address "192.0.2.1:$port" \
		--authorization-mode RBAC,AlwaysAllow --token-auth-file "$tests/auth-tokens.csv" \
		--disable-admission-plugins "$off,StorageObjectInUseProtection"
	start gateway --apiserver "$api" --bind-address 127.0.0.1 --secure-port "$port" --logs-dir "$work" --traces none
	start controllers --apiserver "$api" --root-ca-file "$data/pki/ca.crt" --no-allocate-node-cidrs --traces none \
		--cluster-signing-cert-file "$data/pki/ca.crt" --cluster-signing-key-file "$data/pki/ca.key"
	"$python" -m http.server --bind 127.0.0.1 --directory "$work/k8s" $((port + 1)) >"$work/files.log" 2>&1 &
	pids+=($!)
	until curl -ksf -H 'Authorization: Bearer admin-token' "https://127.0.0.1:$port/readyz" >/dev/null; do sleep 0.2; done
}

port=${SECURE_API_PORT:-26443}
work=$(mktemp -d /tmp/kubectl-commands.XXXXX)
data=$work/data
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait; rm -rf "$work" /tmp/record_command_canary.?????' EXIT
build
copy
cluster
mkdir -p "$root/build/conformance"
log=$root/build/conformance/kubectl-commands.log
cd "$work/k8s"
TMPDIR=$work SECURE_API_PORT=$port bash "$root/tests/conformance/kubectl_commands.sh" --inside "$@" 3>&1 >"$log" 2>&1 </dev/null ||
	{ tail -n 3 "$log"; exit 1; }
