"""Which containers of a pod are started again once they have ended: by their own rules, their own policy, the pod's."""

from kybern.kube.meta import Object


def matching_rule(container: Object, exit_code: int) -> Object | None:
    """The first of a container's restartPolicyRules that speaks of an exit code."""
    for rule in container.get("restartPolicyRules") or ():
        codes = rule.get("exitCodes") or {}
        listed = exit_code in (codes.get("values") or ())
        if (codes.get("operator") == "In" and listed) or (codes.get("operator") == "NotIn" and not listed):
            return dict(rule)
    return None


def policy_of(spec: Object, container: Object) -> str:
    """Always, OnFailure or Never."""
    return str(container.get("restartPolicy") or spec.get("restartPolicy") or "Always")


def restarts_after(spec: Object, container: Object, exit_code: int) -> bool:
    """Whether a container of a pod with this spec is started again when it has ended so.

    A rule that wants all containers restarted is passed over: that is upstream's way without the feature.
    """
    rule = matching_rule(container, exit_code)
    if rule is not None and rule.get("action") == "Restart":
        return True
    policy = policy_of(spec, container)
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)
