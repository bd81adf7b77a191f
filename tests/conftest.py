"""What every test is run with."""

from hypothesis import HealthCheck, settings

# How fast examples are made and tried depends on what else the machine does: that is no property of the code.
settings.register_profile("kybern", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("kybern")
