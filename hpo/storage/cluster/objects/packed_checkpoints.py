"""A trial's checkpoint and its frames as one object."""

import io
import shutil
import tarfile
from pathlib import Path

from hpo.storage.paths import StudyPaths
from model.atomic_files import replacing

_FRAMES = "frames/"


def pack(paths: StudyPaths, number: int) -> bytes:
    """Return a trial's checkpoint and frames as one file."""
    buffer = io.BytesIO()
    checkpoint, frames = paths.checkpoint(number), paths.trial(number).folder
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for frame in sorted(frames.glob("[!.]*")):
            archive.add(frame, f"{_FRAMES}{frame.name}")
        archive.add(checkpoint, checkpoint.suffix)
    return buffer.getvalue()


def unpack(content: bytes, paths: StudyPaths, number: int) -> None:
    """Write a trial's checkpoint and frames."""
    checkpoint, frames = paths.checkpoint(number), paths.trial(number).folder
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        # The checkpoint is the last one: a trial that has it has its frames as well.
        for member in archive:
            is_frame = member.name.startswith(_FRAMES)
            target = frames / Path(member.name).name if is_frame else checkpoint
            file = archive.extractfile(member)
            assert file is not None, "every member is a file"
            with replacing(target) as temporary, temporary.open("wb") as copy:
                shutil.copyfileobj(file, copy)
