"""`python -m kybern.controllers`."""

from kybern.controllers.service import SERVICE
from kybern.runtime.main import main

main(SERVICE)
