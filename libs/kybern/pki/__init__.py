"""The cluster's own certificate authority: who is who in the mesh, and the rotation of every certificate."""
