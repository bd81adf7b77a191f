"""Test kit: builders of objects and environments for tests of services."""
