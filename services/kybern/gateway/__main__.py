"""python -m kybern.gateway"""

from kybern.gateway.service import SERVICE
from kybern.runtime.main import main

main(SERVICE)
