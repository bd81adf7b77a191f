"""`python -m kybern.apiserver`."""

from kybern.apiserver.service import SERVICE
from kybern.runtime.main import main

main(SERVICE)
