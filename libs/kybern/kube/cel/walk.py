"""Ways through the tree of an expression."""

from collections.abc import Callable, Iterator
from dataclasses import replace

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


def rebuilt(node: ast.Node, below: Callable[[ast.Node], ast.Node], by: int = 0) -> ast.Node:
    """The node with what `below` makes of the nodes directly below it; its id is higher `by` so much."""
    node = replace(node, id=node.id + by) if by else node
    match node:
        case ast.Select():
            return replace(node, operand=below(node.operand))
        case ast.Call():
            target = None if node.target is None else below(node.target)
            return replace(node, target=target, args=tuple(map(below, node.args)))
        case ast.CreateList():
            return replace(node, elements=tuple(map(below, node.elements)))
        case ast.CreateStruct():
            return replace(node, entries=tuple(_entry(one, below, by) for one in node.entries))
        case ast.Comprehension():
            return replace(
                node,
                iter_range=below(node.iter_range),
                accu_init=below(node.accu_init),
                loop_condition=below(node.loop_condition),
                loop_step=below(node.loop_step),
                result=below(node.result),
            )
    return node


def _entry(entry: ast.Entry, below: Callable[[ast.Node], ast.Node], by: int) -> ast.Entry:
    key = below(entry.key) if isinstance(entry.key, ast.Node) else entry.key
    return replace(entry, key=key, value=below(entry.value), id=entry.id + by)
