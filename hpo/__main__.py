"""Entry point of `python -m hpo`."""

from hpo.cli.surroundings import ignore_surroundings

if __name__ == "__main__":
    ignore_surroundings()
    # Libraries are imported after their settings have been replaced.
    from hpo.cli.app import main

    main()
