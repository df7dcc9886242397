"""What an operator asks of a running lakehouse, and what it does on a schedule."""
