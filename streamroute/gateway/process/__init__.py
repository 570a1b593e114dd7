"""How the gateway runs: processes, sockets, generations of settings, how it stops."""
