"""`python -m kybern.scheduler`."""

from kybern.runtime.main import main
from kybern.scheduler.service import SERVICE

main(SERVICE)
