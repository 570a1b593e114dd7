"""Who may ask, for what and how much of it, and in what form a request comes in."""
