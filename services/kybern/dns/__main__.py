"""`python -m kybern.dns`."""

from kybern.dns.service import SERVICE
from kybern.runtime.main import main

main(SERVICE)
