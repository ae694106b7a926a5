"""Command line whose leases live two seconds, of a server that counts as one that runs for long.

`short_leases.py ARGUMENT ...`
"""

import sys

import sqlalchemy

from hpo.storage.cluster import leases


def main() -> None:
    leases.LIFE_S, leases.RENEWAL_S, leases._PAUSE_S = 2.0, 0.4, 0.1
    leases._UPTIME = sqlalchemy.text("SELECT 1000")
    from hpo.cli.app import app

    app(sys.argv[1:])


if __name__ == "__main__":
    main()
