"""Entry point of `python -m hpo`."""

from hpo.cli.garbage_collection import collect_rarely
from hpo.cli.surroundings import ignore_surroundings

if __name__ == "__main__":
    collect_rarely()
    ignore_surroundings()
    # Libraries are imported after their settings have been replaced.
    from hpo.cli.app import main

    main()
