"""The volumeattributesclass-protection controller: a class stays while a claim or a volume has it."""
