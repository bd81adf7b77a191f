"""kubectl with admission policies: denied, warned, mutated, type-checked; what is wrong with them and rules."""

from collections.abc import Iterator

import pytest

from kybern.testing.cluster import Kubectl

POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NAME}
spec:
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAME}}
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}
  variables:
  - {name: containers, expression: object.spec.template.spec.containers}
  validations:
  - expression: object.spec.replicas <= 3
    messageExpression: "'wants at most 3 replicas, got ' + string(object.spec.replicas)"
  - expression: variables.containers.all(c, !c.image.endsWith(':latest'))
    message: images have versions
    reason: Forbidden
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: NAME}
spec: {policyName: NAME, validationActions: [ACTION]}
"""
MUTATION = """
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: NAME}
spec:
  reinvocationPolicy: Never
  matchConstraints:
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAME}}
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}
  matchConditions:
  - {name: not-yet, expression: "!object.spec.template.spec.containers.exists(c, c.name == 'sidecar')"}
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: |
        Object{
          metadata: Object.metadata{annotations: {"mutated-by": request.userInfo.username}},
          spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{
            containers: [Object.spec.template.spec.containers{name: "sidecar", image: "sidecar:1"}]
          }}}
        }
  - patchType: JSONPatch
    jsonPatch:
      expression: "[JSONPatch{op: 'replace', path: '/spec/replicas', value: object.spec.replicas + 1}]"
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: NAME}
spec: {policyName: NAME}
"""
BAD_RULE = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.NAME.example.com}
spec:
  group: NAME.example.com
  scope: Namespaced
  names: {plural: things, singular: thing, kind: Thing}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties: {x: {type: integer}, names: {type: array, items: {type: string}}}
            x-kubernetes-validations:
            - {rule: self.z == 100}
            - {rule: "self.names.all(a, self.names.all(b, a == b))"}
"""
DEPLOYMENT = ("create", "deployment")


@pytest.fixture
def name(kubectl: Kubectl) -> Iterator[str]:
    """The name of a policy for the namespace alone; it is gone afterwards."""
    name = kubectl.namespace
    yield name
    for kind in ("validating", "mutating"):
        kubectl("delete", f"{kind}admissionpolicies,{kind}admissionpolicybindings", name, "--ignore-not-found")


def test_denied(kubectl: Kubectl, name: str) -> None:
    kubectl("apply", "-f", "-", stdin=POLICY.replace("NAME", name).replace("ACTION", "Deny"))
    error = kubectl.error(*DEPLOYMENT, "a", "--image=web:1", "--replicas=4")
    said = f"ValidatingAdmissionPolicy '{name}' with binding '{name}' denied request"
    assert f'deployments.apps "a" is forbidden: {said}: wants at most 3 replicas, got 4' in error
    error = kubectl.error(*DEPLOYMENT, "a", "--image=web:latest")
    assert f'deployments.apps "a" is forbidden: {said}: images have versions' in error
    assert kubectl(*DEPLOYMENT, "a", "--image=web:1") == "deployment.apps/a created"
    assert "wants at most 3 replicas, got 5" in kubectl.error("patch", "deploy/a", "-p", '{"spec": {"replicas": 5}}')
    kubectl("delete", "validatingadmissionpolicybindings", name)
    kubectl("patch", "deploy/a", "-p", '{"spec": {"replicas": 5}}')


def test_warned(kubectl: Kubectl, name: str) -> None:
    kubectl("apply", "-f", "-", stdin=POLICY.replace("NAME", name).replace("ACTION", "Warn"))
    done = kubectl.run(*DEPLOYMENT, "a", "--image=web:latest")
    assert done.out.strip() == "deployment.apps/a created"
    said = f"Validation failed for ValidatingAdmissionPolicy '{name}' with binding '{name}': images have versions"
    assert f"Warning: {said}" in done.err


def test_mutated(kubectl: Kubectl, name: str) -> None:
    kubectl("apply", "-f", "-", stdin=MUTATION.replace("NAME", name))
    kubectl(*DEPLOYMENT, "a", "--image=web:1", "--replicas=2")
    found = kubectl.json("get", "deploy", "a")
    assert found["metadata"]["annotations"]["mutated-by"] == "kubernetes-admin"
    assert [one["name"] for one in found["spec"]["template"]["spec"]["containers"]] == ["web", "sidecar"]
    assert found["spec"]["replicas"] == 3


def test_type_checked(kubectl: Kubectl, name: str) -> None:
    text = POLICY.replace("object.spec.replicas <= 3", "object.spec.replicas <= '3'")
    kubectl("apply", "-f", "-", stdin=text.replace("NAME", name).replace("ACTION", "Audit"))
    kubectl("wait", f"validatingadmissionpolicies/{name}", "--for=jsonpath={.status.typeChecking}", "--timeout=10s")
    status = kubectl.json("get", "validatingadmissionpolicies", name)["status"]
    (warning,) = status["typeChecking"]["expressionWarnings"]
    assert warning["fieldRef"] == "spec.validations[0].expression"
    assert "found no matching overload for '_<=_' applied to '(int, string)'" in warning["warning"]


def test_columns(kubectl: Kubectl, name: str) -> None:
    kubectl("apply", "-f", "-", stdin=POLICY.replace("NAME", name).replace("ACTION", "Deny"))
    head = kubectl("get", "validatingadmissionpolicies", name).split()[:4]
    assert head == ["NAME", "VALIDATIONS", "PARAMKIND", "AGE"]
    head = kubectl("get", "validatingadmissionpolicybindings", name).split()[:4]
    assert head == ["NAME", "POLICYNAME", "PARAMREF", "AGE"]


def test_invalid(kubectl: Kubectl, name: str) -> None:
    text = POLICY.replace("object.spec.replicas <= 3", "object.spec.replicas <=").replace("NAME", name)
    error = kubectl.error("apply", "-f", "-", stdin=text.replace("ACTION", "Deny"))
    assert f'The ValidatingAdmissionPolicy "{name}" is invalid: spec.validations[0].expression: Invalid value' in error
    assert "compilation failed: ERROR: <input>:1:24: Syntax error: mismatched input '<EOF>'" in error


def test_rules_of_definitions(kubectl: Kubectl) -> None:
    error = kubectl.error("apply", "-f", "-", stdin=BAD_RULE.replace("NAME", kubectl.namespace))
    at = "spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations"
    assert f'{at}[0].rule: Invalid value: {{"Rule":"self.z == 100",' in error
    assert ": compilation failed: ERROR: <input>:1:5: undefined field 'z'" in error
    assert f"{at}[1].rule: Forbidden: estimated rule cost exceeds budget by factor of more than 100x" in error
