"""`python -m kybern.traces`."""

from kybern.runtime.main import main
from kybern.traces.service import SERVICE

main(SERVICE)
