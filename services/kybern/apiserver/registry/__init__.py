"""The generic registry: how any kind is created, updated and deleted; strategies say where kinds differ."""
