"""Base class of every section of a study file, and types of bounded numbers."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

# Type of a fault that concerns several keys, so that no single value is shown with it.
ACROSS_KEYS = "across_keys"

NonNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]


class StrictModel(BaseModel):
    """Pydantic model that refuses unknown keys, values of another type, and changes."""

    # Defaults are validated too: rules across keys must hold for keys that were left out. Every rule belongs to a
    # field, since pydantic skips a rule on the whole mapping if any of its keys has a fault.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=True)
