"""ImageLocality: prefers nodes that hold the pod's images already, large and widely spread images counting most.

score = (Σ size · share of nodes that have it − 23Mi) · 100 / (1000Mi · containers − 23Mi), within 0 and 100
"""

import numpy as np
from numpy.typing import NDArray

from kybern.scheduler.core.columns import Ints, Rows
from kybern.scheduler.core.framework import MAX_SCORE, Scope
from kybern.scheduler.core.pod import Facts
from kybern.scheduler.core.snapshot import Snapshot

MIB = 1024 * 1024
LEAST = 23 * MIB
MOST = 1000 * MIB  # per container


def normalized_name(image: str) -> str:
    """The name as nodes report it: with a tag."""
    return image if image.rfind(":") > image.rfind("/") else image + ":latest"


class ImageLocality:
    name = "ImageLocality"
    scope = Scope.NODES
    normalizes = False

    def score(self, pod: Facts, nodes: Snapshot, rows: Rows) -> Ints | None:
        images = pod.images
        held = [sizes for image in images if (sizes := nodes.images.get(normalized_name(image)))]
        if not held:
            return None
        sums: NDArray[np.int64] = np.zeros(nodes.capacity, np.int64)
        for sizes in held:
            share = len(sizes) / len(nodes)
            for slot, size in sizes.items():
                sums[slot] += int(size * share)
        most = MOST * len(images)
        scores: Ints = (np.clip(sums, LEAST, most) - LEAST) * MAX_SCORE // (most - LEAST)
        return scores[rows]

    def normalize(self, raw: Ints) -> Ints:
        return raw
