"""`python -m kybern.node`: the node agent in a process of its own."""

from kybern.node.service import SERVICE
from kybern.runtime.main import main

main(SERVICE)
