"""What is seen from outside: numbers, the board, traces."""
