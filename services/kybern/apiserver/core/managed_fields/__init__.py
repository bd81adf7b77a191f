"""Server-side apply: who manages which field, merging an applied configuration, conflicts between managers.

    paths      an object as a mapping from field paths to leaf values
    fields_v1  a set of paths as FieldsV1, the form in metadata.managedFields
    merge      an applied configuration laid over the live object; fields taken out again
    managers   the managers of an object: decoded, encoded, changed by updates and applies

Field paths are tuples of FieldsV1's own elements: `f:spec`, `k:{"name":"c"}`, `v:"x"`.
"""
