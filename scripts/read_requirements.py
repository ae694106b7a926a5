"""Read the package's dependencies from the requirements files while it is built: each is listed once."""

from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_EXTRAS = {name: f"requirements-{name}.in" for name in ("cluster", "share", "track", "dev")}


class RequirementsHook(MetadataHookInterface):
    """Hook of hatchling that adds `dependencies` and `optional-dependencies`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add them to the metadata."""
        root = Path(self.root)
        metadata["dependencies"] = _requirements(root / "requirements.in")
        metadata["optional-dependencies"] = {name: _requirements(root / file) for name, file in _EXTRAS.items()}


def _requirements(path: Path) -> list[str]:
    """Return the requirements of a file, without comments and without options such as `-c`."""
    lines = (line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line and not line.startswith("-")]
