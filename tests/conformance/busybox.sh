#!/bin/sh
# Build busybox as its makers release it: Debian's source package without Debian's changes, since Debian's shell drops
# variables whose names are no shell names, and cases look for such. Usage: tests/conformance/busybox.sh OUTPUT
set -eu
output=$(realpath -m "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir -p lists/partial cache/archives/partial
keys=/usr/share/keyrings/debian-archive-keyring.gpg
apt-get indextargets --format "deb-src [signed-by=$keys] \$(REPO_URI) \$(CODENAME) \$(COMPONENT)" \
	'Origin: Debian' 'Identifier: Packages' | sort -u >sources.list
apt() {
	apt-get -qq -o Dir::Etc::SourceList="$folder/sources.list" -o Dir::Etc::SourceParts=- \
		-o Dir::State::Lists="$folder/lists" -o Dir::Cache="$folder/cache" -o APT::Sandbox::User=root "$@"
}
apt update
apt source --download-only busybox
tar xf busybox_*.orig.tar.*
cd busybox-*/
make -s defconfig >/dev/null
nice make -s -j2 >make.log 2>&1 || {
	tail make.log
	exit 1
}
cp busybox "$output"
