"""`python -m infra COMMAND`; the Makefile calls it."""

from infra.cli import main

main()
