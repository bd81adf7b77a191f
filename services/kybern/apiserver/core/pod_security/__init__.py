"""Pod Security Standards: the controls of `baseline` and `restricted` by version, and what a namespace asks for.

`policy` reads the labels, `baseline` and `restricted` are the controls, `evaluate` picks those of a level and version
and says what a pod violates.
"""
