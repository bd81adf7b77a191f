"""The persistentvolume-binder controller: volumes for claims, both sides bound, and let go of."""
