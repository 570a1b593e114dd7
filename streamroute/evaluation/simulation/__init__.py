"""Routes that were recorded in full, driven through the real core in virtual time."""
