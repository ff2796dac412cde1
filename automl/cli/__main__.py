"""Run the command line with ``python -m automl.cli``."""

from automl.cli.app import main

main()
