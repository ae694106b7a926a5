"""Arguments and options that several commands have."""

from typing import Annotated

import typer

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
RunDevice = Annotated[str, typer.Option(help=Training.model_fields["device"].description)]
