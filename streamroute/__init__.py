"""streamroute: stream a cheap model at once, judge it while it streams, switch to a larger one when it is unsure."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
