"""Arguments that several commands take."""

from typing import Annotated

import typer

Config = Annotated[
    str, typer.Argument(help="A study's name (quick) or its file (study_configs/quick.yaml).", show_default=False)
]
Device = Annotated[
    str | None, typer.Option(help="auto, cpu, cuda, cuda:N or mps, in place of the file's.", show_default=False)
]
