"""Which claims of a token an expression of an AuthenticationConfiguration speaks of."""

from kybern.kube.cel import Program, ast
from kybern.kube.cel.walk import every


def uses_claim(program: Program, claim: str) -> bool:
    """Whether an expression speaks of `claims.NAME` or `claims.?NAME`."""
    for node in every(program.checked.root):
        if isinstance(node, ast.Select) and node.field == claim and _is_claims(node.operand):
            return True
        if isinstance(node, ast.Call) and node.function == "_?._" and len(node.args) == 2:
            operand, name = node.args
            if _is_claims(operand) and isinstance(name, ast.Const) and name.value == claim:
                return True
    return False


def _is_claims(node: ast.Node) -> bool:
    return isinstance(node, ast.Ident) and node.name == "claims"
