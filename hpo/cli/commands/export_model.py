"""Command `export-model`: write a trained model in the formats of other programs."""

from pathlib import Path
from typing import Annotated

import typer

from hpo.cli.console import print_lines
from hpo.cli.exit_codes import reports_errors
from hpo.cli.json_lines.events import Exported
from hpo.cli.json_lines.output import emit
from hpo.cli.options import AsJson
from hpo.storage.paths import ModelPaths, RunPaths
from hpo.storage.paths.user_folder import check_is_no_file, expanded


@reports_errors("Stopped. Every file that was written is complete.")
def export_model(
    run: Annotated[
        Path, typer.Argument(help="Folder of a finished run, for example results/cifar10/best.", show_default=False)
    ],
    output: Annotated[
        Path | None, typer.Option(help="Folder of the files; export/ in the run if left out.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a trained model for other programs: safetensors, ONNX, torch.export, and a model card.

    ONNX Runtime computes some images and codes, which must be those that PyTorch computes.
    """
    if output:
        output = expanded(output)
        check_is_no_file("--output", output)
    from hpo.runs.export_model import export

    source = RunPaths(expanded(run))
    target = ModelPaths(output) if output else ModelPaths.of_run(source.folder)
    difference = export(source, target)
    emit(Exported(target.folder, target.all_files()))
    print_lines(
        f"Encoder and decoder as ONNX and torch.export, weights as safetensors, and a model card, in {target.folder}",
        f"ONNX Runtime differs from PyTorch by at most {difference:.1e}",
        f"Next: read {target.card}",
    )
