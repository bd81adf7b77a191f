"""The images that the conformance suite asks for, made of its own Go programs and of Debian's, without a registry.

The suite says the full names (`e2e.test -list-images`); an image here stands for every name that ends as its key does.
Real programs run in all of them; README.md tells where one differs from the published image.
"""

import re
import subprocess
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from kybern.runtime.images import Entry, Image, busybox_image, find_binary, pause_image

LIBRARY = re.compile(r"(?:=> )?(/\S+) \(0x")
TOOLS = {  # program in the image -> what it is called on this host, and its Debian package
    "usr/bin/dig": ("dig", "bind9-dnsutils"),
    "usr/bin/nslookup": ("nslookup", "bind9-dnsutils"),
    "usr/bin/host": ("host", "bind9-host"),
    "usr/bin/curl": ("curl", "curl"),
    "usr/bin/wget": ("wget", "wget"),  # busybox's knows fewer flags
    "usr/bin/nc": ("nc.openbsd", "netcat-openbsd"),
    "usr/bin/ss": ("ss", "iproute2"),
    "sbin/ip": ("ip", "iproute2"),
    "usr/bin/getent": ("getent", "libc-bin"),
    "usr/bin/printenv": ("printenv", "coreutils"),
}
PASSWD = "root:x:0:0:root:/root:/bin/sh\nuser-defined-in-image:x:1000:1000::/home:/bin/sh\n"
GROUP = "root:x:0:\nuser-defined-in-image:x:1000:\ngroup-defined-in-image:x:50000:user-defined-in-image\n"
OS_RELEASE = """NAME="Stand-in for Alpine Linux, made of Debian's programs"
ID=stand-in
"""  # one case reads the published image's file and looks for that name
NGINX = """daemon off; worker_processes 1; error_log /dev/stderr; pid /tmp/nginx.pid;
events {}
http { access_log /dev/stdout; server { listen 80; root /usr/share/nginx/html; } }
"""


def with_libraries(programs: dict[str, Path]) -> tuple[Entry, ...]:
    """Programs of this host at their places in an image, with the shared libraries that they load."""
    files = dict(programs)
    for program in programs.values():
        listed = subprocess.run(["ldd", str(program)], capture_output=True, text=True, check=False).stdout
        files |= {path.lstrip("/"): Path(path) for path in LIBRARY.findall(listed)}
    files |= {name: path for name, path in name_service() if path.exists()} if len(files) > len(programs) else {}
    return tuple(Entry(name, path.resolve().read_bytes()) for name, path in sorted(files.items()))


def name_service() -> list[tuple[str, Path]]:
    """glibc loads these by name, for lookups of users and hosts."""
    folders = [Path(folder) for folder in ("/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu")]
    return [(f"{f}/{n}".lstrip("/"), f / n) for f in folders for n in ("libnss_dns.so.2", "libnss_files.so.2")]


def file(name: str, data: bytes | str, mode: int = 0o644) -> Entry:
    """One file of an image."""
    return Entry(name, data if isinstance(data, bytes) else data.encode(), mode=mode)


def without(entries: Iterable[Entry], *more: Entry) -> tuple[Entry, ...]:
    """Entries, with others in the place of those of the same name."""
    replaced = {entry.path for entry in more}
    return (*(entry for entry in entries if entry.path not in replaced), *more)


def userland(busybox: Path) -> Image:
    """A small userland of a busybox whose shell runs the programs of PATH, with the shared libraries that it loads.

    bash is there too, under its own name.
    """
    applets = subprocess.run([str(busybox), "--list"], check=True, capture_output=True, text=True).stdout.split()
    links = [Entry(f"bin/{applet}", link="/bin/busybox") for applet in sorted(set(applets) - {"busybox"})]
    programs = with_libraries({"bin/busybox": busybox, "bin/bash": find_binary(["bash"], "bash")})
    plain = busybox_image()  # of the static busybox, which prefers its own applets
    kept = [entry for entry in plain.entries if entry.path.partition("/")[0] != "bin" or entry.path == "bin"]
    return replace(plain, entries=(*kept, *links, *programs, Entry("var/tmp", mode=0o1777)))


class SuiteImages:
    """Makes images from the folder that build.sh fills."""

    def __init__(self, built: Path) -> None:
        self.built = built
        self._busybox = userland(built / "busybox")
        self._toolbox: tuple[Entry, ...] = ()
        self.makers: dict[str, Callable[[], Image]] = {
            "/agnhost": self.agnhost,
            "/busybox": lambda: self._busybox,
            "/nginx": self.nginx,
            "/pause": pause_image,
            "/nonroot": lambda: replace(self._busybox, user="1234"),
            "/nonewprivs": self.nonewprivs,
            "/nautilus": lambda: self.pictures("nautilus"),
            "/kitten": lambda: self.pictures("kitten"),
            "/glibc-dns-testing": lambda: replace(self._busybox, entries=self.toolbox()),
            "/sample-apiserver": self.sample_apiserver,
            "/etcd": self.etcd,
        }

    def image(self, reference: str) -> Image | None:
        """The image for a full name, None for one that no conformance case needs."""
        maker = self.makers.get("/" + reference.rpartition(":")[0].rpartition("/")[2])
        if maker is None or reference.startswith("invalid") or "authenticated" in reference:
            return None
        made = maker()
        return replace(made, reference=reference, env=(*made.env, f"IMAGE={reference}"))

    def toolbox(self) -> tuple[Entry, ...]:
        """busybox with the programs that its applets cannot stand for."""
        if not self._toolbox:
            found = {place: find_binary([name], package) for place, (name, package) in TOOLS.items()}
            more = with_libraries(found)
            replaced = {"bin/" + Path(place).name for place in TOOLS}
            kept = (entry for entry in self._busybox.entries if entry.path not in replaced)
            self._toolbox = without(kept, *more)
        return self._toolbox

    def agnhost(self) -> Image:
        """The suite's own program, which plays most of the servers and clients."""
        own = [Entry("uploads"), Entry("agnhost", (self.built / "agnhost").read_bytes())]
        own += [Entry("agnhost-2", link="agnhost"), file("etc/passwd", PASSWD), file("etc/group", GROUP)]
        own += [file("etc/os-release", OS_RELEASE)]
        own += [file(name, (self.built / "files" / name).read_bytes()) for name in ("localhost.crt", "localhost.key")]
        return replace(
            self._busybox, entries=without(self.toolbox(), *own), entrypoint=("/agnhost",), command=("pause",)
        )

    def pictures(self, name: str) -> Image:
        """agnhost that serves a picture and says which."""
        base = self.agnhost()
        files = [file(path.name, path.read_bytes()) for path in sorted((self.built / "files" / name).iterdir())]
        return replace(base, entries=without(base.entries, *files), command=("test-webserver",))

    def nonewprivs(self) -> Image:
        """A program with the setuid bit that tells who it runs as."""
        program = Entry("usr/local/bin/nnp", (self.built / "nonewprivs").read_bytes(), mode=0o6755)
        return replace(
            self._busybox, entries=(*self._busybox.entries, Entry("usr/local/bin"), program), command=("nnp",)
        )

    def nginx(self) -> Image:
        """Debian's nginx with one page."""
        folders = [Entry(f"var/{name}/nginx") for name in ("log", "lib")]
        page = file("usr/share/nginx/html/index.html", "<title>Welcome to nginx!</title>\n")
        more = (*with_libraries({"usr/sbin/nginx": find_binary(["nginx"], "nginx-light")}), *folders, page)
        settings = file("etc/nginx/nginx.conf", NGINX)
        return replace(
            self._busybox, entries=without(self._busybox.entries, *more, settings), command=("/usr/sbin/nginx",)
        )

    def sample_apiserver(self) -> Image:
        """The aggregated API server of the samples."""
        program = Entry("sample-apiserver", (self.built / "sample-apiserver").read_bytes())
        return replace(
            self._busybox, entries=(*self._busybox.entries, program), entrypoint=("/sample-apiserver",), command=()
        )

    def etcd(self) -> Image:
        """Debian's etcd."""
        programs = {f"usr/local/bin/{name}": find_binary([name], "etcd-server") for name in ("etcd",)}
        return replace(
            self._busybox,
            entries=without(self._busybox.entries, *with_libraries(programs)),
            command=("/usr/local/bin/etcd",),
        )


def listed_names(built: Path) -> list[str]:
    """The full names of all images that the suite can ask for."""
    done = subprocess.run([str(built / "e2e.test"), "-list-images"], capture_output=True, text=True, check=True)
    return sorted(done.stdout.split())
