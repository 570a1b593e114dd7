"""What holds for every test."""

from __future__ import annotations

from hypothesis import settings

# Run by `make clients`, in an environment that has the clients.
collect_ignore = ["clients"]

# A slow machine is not a failure: how long things take is measured in benchmarks/.
settings.register_profile("streamroute", deadline=None)
settings.load_profile("streamroute")
