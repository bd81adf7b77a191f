"""Why a service did not come up, from the end of its log: one sentence for people."""

import json


def explain(log: str) -> str:
    """The newest error in a log of JSON lines; the last line of anything else; "" for an empty log."""
    lines = [line for line in log.splitlines() if line.strip()]
    for line in reversed(lines):
        record = parse(line)
        if record.get("level") in ("error", "critical"):
            exception = str(record.get("exception", "")).strip()
            return exception.splitlines()[-1].strip(" |+-") if exception else str(record.get("message", ""))
    return lines[-1][:300] if lines and not parse(lines[-1]) else ""


def parse(line: str) -> dict[str, object]:
    """One line of a log; {} when it is no JSON object."""
    try:
        record = json.loads(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
