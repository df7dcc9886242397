"""`python -m infra COMMAND`: what the Makefile calls."""

from infra.cli import main

main()
