"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# A slow machine is not a failure: how long things take is measured in benchmarks/.
settings.register_profile("streamroute", deadline=None)
settings.load_profile("streamroute")
