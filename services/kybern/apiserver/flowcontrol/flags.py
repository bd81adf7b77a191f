"""How much at a time: flags with Kubernetes' names."""

from argparse import ArgumentParser, Namespace


def add_flow_flags(parser: ArgumentParser) -> None:
    """Flags of priority and fairness."""
    add = parser.add_argument_group("priority and fairness").add_argument
    add("--max-requests-inflight", type=int, default=400, metavar="N", help="reads at a time")
    add("--max-mutating-requests-inflight", type=int, default=200, metavar="N", help="writes at a time")
    add("--min-request-timeout", type=float, default=1800.0, metavar="SECONDS", help="of a watch that sets no timeout")
    add(
        "--enable-priority-and-fairness",
        default="true",
        choices=["true", "false"],
        help="share the sum of both among priority levels, with queues; else they are hard limits",
    )


def check_flow_flags(options: Namespace) -> None:
    """Raises ValueError with a sentence."""
    seats = options.max_requests_inflight + options.max_mutating_requests_inflight
    if options.enable_priority_and_fairness == "true" and seats <= 0:
        raise ValueError(
            "priority and fairness needs --max-requests-inflight plus --max-mutating-requests-inflight above 0"
        )
