"""ResourceQuota: what an object uses of a namespace's quotas, and whether a write may use more.

`evaluators` says for each kind what one object uses; `charge` decides about one write, as admission asks; `total` adds
up what is there, as the controller asks.
"""
