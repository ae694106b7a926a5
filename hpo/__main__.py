"""Entry point of `python -m hpo`, and of the command `hpo` where the program is installed."""

from hpo.cli.garbage_collection import collect_rarely
from hpo.cli.surroundings import ignore_surroundings


def run() -> None:
    """Run the command that the arguments name, and exit with its exit code."""
    collect_rarely()
    ignore_surroundings()
    # Libraries are imported after their settings have been replaced.
    from hpo.cli.app import main

    main()


if __name__ == "__main__":
    run()
