"""The pv-protection controller: a volume stays while it is bound."""
