"""Every way to route, side by side on the same recorded answers: in quality, money and time."""
