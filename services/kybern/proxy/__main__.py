"""`python -m kybern.proxy`."""

from kybern.proxy.service import SERVICE
from kybern.runtime.main import main

main(SERVICE)
