"""The tests; property-based ones have no deadline per example, for the machine is shared."""

from hypothesis import settings

settings.register_profile("shared", deadline=None)
settings.load_profile("shared")
