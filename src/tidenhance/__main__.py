"""Run the command line as `python -m tidenhance`."""

from tidenhance.cli import main

main()
