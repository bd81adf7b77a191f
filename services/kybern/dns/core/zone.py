"""The cluster's zone: every name with its records, changed Service by Service, and the answers to questions.

A name that only has names below it exists (NODATA, not NXDOMAIN). Each record belongs to the Services that ask for
it, so that a change of one Service touches its own names alone. `generation` grows with every change that shows.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from kybern.dns.core.message import ANY, NOERROR, NXDOMAIN
from kybern.dns.core.records import CODES, Answer, Name, Record, dotted, split
from kybern.dns.core.service_records import address_record, service_records, undashed
from kybern.kube import meta

Object = Mapping[str, Any]
VERSION = "1.1.0"  # of the specification
DNS_SERVICE = "kube-system/kube-dns"
CHASES = 8
REVERSE = (("in-addr", "arpa"), ("ip6", "arpa"))
POD_MODES = ("insecure", "verified", "disabled")


class Zone:
    """Names below the cluster domain, and the reverse names of their addresses."""

    def __init__(self, domain: str = "cluster.local", ttl: int = 5, pods: str = "insecure") -> None:
        self.name, self.ttl, self.generation = split(domain), ttl, 1
        self._pod_mode = pods
        self._services: dict[str, Object] = {}
        self._slices: dict[str, dict[str, Object]] = {}  # service → slice → object
        self._owned: dict[str, list[Record]] = {}
        self._records: dict[Name, dict[Record, int]] = {}  # records with the number of their owners
        self._below: dict[Name, int] = {}  # how many names with records are below or at a name
        self._namespaces: set[str] = set()
        self._pods: dict[tuple[str, str], int] = {}  # (namespace, address) → number of pods
        self._pod_addresses: dict[str, tuple[tuple[str, str], ...]] = {}
        self._own("", [Record(("dns-version", *self.name), "TXT", ttl, VERSION), *self._apex()])

    # What the watch says

    def set_service(self, service: Object) -> None:
        key = meta.key(service)
        self._services[key] = service
        self._refresh(key)

    def remove_service(self, key: str) -> None:
        self._services.pop(key, None)
        self._refresh(key)

    def set_slice(self, slice_: Object) -> None:
        """Take over an EndpointSlice; it speaks for the service in its label."""
        service = slice_service(slice_)
        name = meta.key(slice_)
        for other, slices in self._slices.items():
            if other != service and slices.pop(name, None) is not None:
                self._refresh(other)
        self._slices.setdefault(service, {})[name] = slice_
        self._refresh(service)

    def remove_slice(self, slice_: Object) -> None:
        service = slice_service(slice_)
        slices = self._slices.get(service, {})
        slices.pop(meta.key(slice_), None)
        if not slices:
            self._slices.pop(service, None)
        self._refresh(service)

    def set_namespaces(self, namespaces: Iterable[str]) -> None:
        wanted = set(namespaces)
        if wanted != self._namespaces:
            self._namespaces = wanted
            self.generation += 1

    def set_pod(self, pod: Object) -> None:
        """Know a pod's addresses, as long as it runs (mode `verified`)."""
        status = pod.get("status") or {}
        alive = status.get("phase") not in ("Succeeded", "Failed")
        ips = [each.get("ip") for each in status.get("podIPs") or ()] or [status.get("podIP")]
        addresses = tuple((meta.namespace(pod), ip) for ip in ips if ip and alive)
        self._set_pod_addresses(meta.uid(pod), addresses)

    def remove_pod(self, uid: str) -> None:
        self._set_pod_addresses(uid, ())

    def _set_pod_addresses(self, uid: str, addresses: tuple[tuple[str, str], ...]) -> None:
        old = self._pod_addresses.pop(uid, ())
        if addresses:
            self._pod_addresses[uid] = addresses
        if old == addresses:
            return
        for address in old:
            self._pods[address] -= 1
            if not self._pods[address]:
                del self._pods[address]
        for address in addresses:
            self._pods[address] = self._pods.get(address, 0) + 1
        self.generation += 1

    def _refresh(self, key: str) -> None:
        service = self._services.get(key)
        records: list[Record] = []
        if service is not None:
            slices = self._slices.get(key, {})
            records = service_records(service, [slices[name] for name in sorted(slices)], self.name, self.ttl)
            records += self._marker(key)
            if key == DNS_SERVICE:
                nameserver = ("ns", "dns", *self.name)
                own = [r for r in records if r.name[:3] == ("kube-dns", "kube-system", "svc")]
                records += [Record(nameserver, r.type, r.ttl, r.data) for r in own if r.type in ("A", "AAAA")]
        self._own(key, records)

    def _marker(self, key: str) -> list[Record]:
        """A record of no type that makes the name of a service without addresses exist."""
        namespace, name = meta.split_key(key)
        return [Record((name, namespace, "svc", *self.name), "", 0, "")]

    def _own(self, owner: str, records: list[Record]) -> None:
        old = self._owned.get(owner, [])
        if old == records:
            return
        for record in records:
            self._count(record, 1)
        for record in old:
            self._count(record, -1)
        if records:
            self._owned[owner] = records
        else:
            del self._owned[owner]
        self.generation += 1

    def _count(self, record: Record, by: int) -> None:
        owners = self._records.setdefault(record.name, {})
        owners[record] = owners.get(record, 0) + by
        if not owners[record]:
            del owners[record]
            if not owners:
                del self._records[record.name]
        for depth in range(len(record.name)):
            name = record.name[depth:]
            self._below[name] = self._below.get(name, 0) + by
            if not self._below[name]:
                del self._below[name]

    # Questions

    def covers(self, name: Name) -> bool:
        """Whether the answer is ours alone: names in the zone, and reverse names that are known."""
        return name[-len(self.name) :] == self.name or (name[-2:] in REVERSE and name in self._records)

    def answer(self, name: Name, type_: int) -> Answer:
        """The answer for a name that the zone covers, CNAMEs within it followed."""
        answers: list[Record] = []
        for _ in range(CHASES):
            found = self._at(name)
            if found is None:
                return Answer(NXDOMAIN, tuple(answers), (self._soa(),))
            wanted = [r for r in found if type_ in (CODES.get(r.type), ANY) and r.type]
            if wanted:
                return Answer(NOERROR, (*answers, *wanted), extras=self._extras(wanted))
            alias = next((record for record in found if record.type == "CNAME"), None)
            if alias is None:
                return Answer(NOERROR, tuple(answers), (self._soa(),))
            answers.append(alias)
            name = split(alias.data)
            if not self.covers(name):
                return Answer(NOERROR, tuple(answers), chase=alias.data)
        return Answer(NOERROR, tuple(answers))

    def _at(self, name: Name) -> list[Record] | None:
        """The records of a name; empty when it only exists, None when it does not."""
        records = self._records.get(name)
        if records is not None:
            return [*records, self._soa()] if name == self.name else [*records]
        if name in self._below:
            return []
        return self._implied(name[: -len(self.name)])

    def _implied(self, labels: Name) -> list[Record] | None:
        """Names that follow from namespaces and pods: NS.svc, NS.pod, A-B-C-D.NS.pod."""
        if not labels or labels in (("svc",), ("pod",)):
            return []
        if len(labels) == 2 and labels[1] in ("svc", "pod") and self._namespace_exists(labels[0]):
            return []
        if len(labels) == 3 and labels[2] == "pod" and self._namespace_exists(labels[1]):
            return self._pod(labels[0], labels[1])
        return None

    def _namespace_exists(self, namespace: str) -> bool:
        return namespace in self._namespaces or (namespace, "svc", *self.name) in self._below

    def _pod(self, label: str, namespace: str) -> list[Record] | None:
        address = undashed(label)
        if address is None or self._pod_mode == "disabled":
            return None
        if self._pod_mode == "verified" and (namespace, address) not in self._pods:
            return None
        return [address_record((label, namespace, "pod", *self.name), address, self.ttl)]

    def _extras(self, answers: list[Record]) -> tuple[Record, ...]:
        """The addresses of SRV targets."""
        targets = dict.fromkeys(split(record.data.split(" ")[3]) for record in answers if record.type == "SRV")
        return tuple(r for target in targets for r in self._records.get(target, ()) if r.type in ("A", "AAAA"))

    def _soa(self) -> Record:
        zone = dotted(self.name)
        data = f"ns.dns.{zone} hostmaster.{zone} {self.generation} 7200 1800 86400 {self.ttl}"
        return Record(self.name, "SOA", self.ttl, data)

    def _apex(self) -> list[Record]:
        return [Record(self.name, "NS", self.ttl, f"ns.dns.{dotted(self.name)}")]


def slice_service(slice_: Object) -> str:
    """The key of the Service whose endpoints the slice holds."""
    return meta.join_key(meta.namespace(slice_), meta.labels(slice_).get("kubernetes.io/service-name", ""))
