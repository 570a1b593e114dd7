"""The ledger: every leg of every request, what it cost, and what may still be spent."""
