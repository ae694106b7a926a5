"""Arguments and options that several commands have."""

from typing import Annotated

import typer

from hpo.config.call_arguments import FILES_VARIABLE, STORAGE_VARIABLE
from hpo.config.schema import Training

Config = Annotated[
    str,
    typer.Argument(
        metavar="STUDY",
        help="Name of a study (quick) or path of its file (study_configs/quick.yaml).",
        show_default=False,
    ),
]
Device = Annotated[
    str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps, instead of the file's.", show_default=False)
]
Storage = Annotated[
    str | None,
    typer.Option(
        envvar=STORAGE_VARIABLE,
        help="URL of a PostgreSQL database that machines share (postgresql://user@host/database).",
        show_default=False,
        show_envvar=False,
    ),
]
Files = Annotated[
    str | None,
    typer.Option(
        envvar=FILES_VARIABLE,
        help="URL of an object store or shared folder (s3://bucket/folder, file:///folder), with --storage.",
        show_default=False,
        show_envvar=False,
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print JSON objects for scripts, one a line; other text goes to standard error.")
]
RunDevice = Annotated[str, typer.Option(help=Training.model_fields["device"].description)]
