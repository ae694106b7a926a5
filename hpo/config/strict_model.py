"""Entries of a study's `hyperparameters:`: each a value, a range or a choice, and the mapping of them all."""

from pydantic import BaseModel, ConfigDict

# The kind of fault that lies in what is not there, so that no value is to be shown with it.
ACROSS_KEYS = "across_keys"


class StrictModel(BaseModel):
    """Refuses unknown keys, values of another kind, and changes."""

    # Defaults are validated too: rules across keys must hold for what was left out. All rules are on fields, since one
    # on a whole mapping would not be looked at where any of its keys is at fault.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, validate_default=True)
