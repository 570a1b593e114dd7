"""TOML to settings, settings to routes, and what to check before serving them."""
