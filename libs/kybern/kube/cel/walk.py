"""Ways through the tree of an expression."""

from collections.abc import Iterator

from kybern.kube.cel import ast


def every(node: ast.Node) -> Iterator[ast.Node]:
    """The node and all below it."""
    yield node
    for child in children(node):
        yield from every(child)


def children(node: ast.Node) -> Iterator[ast.Node]:
    """The nodes directly below."""
    match node:
        case ast.Select():
            yield node.operand
        case ast.Call():
            if node.target is not None:
                yield node.target
            yield from node.args
        case ast.CreateList():
            yield from node.elements
        case ast.CreateStruct():
            for entry in node.entries:
                if isinstance(entry.key, ast.Node):
                    yield entry.key
                yield entry.value
        case ast.Comprehension():
            yield node.iter_range
            yield node.accu_init
            yield node.loop_condition
            yield node.loop_step
            yield node.result


def names(node: ast.Node) -> set[str]:
    """Every identifier in a tree."""
    found = {node.name} if isinstance(node, ast.Ident) else set()
    for child in children(node):
        found |= names(child)
    return found
