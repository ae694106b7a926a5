"""Errors that a user can cause and fix."""

FIX_AND_RUN_AGAIN = "fix that and run the same command again"


class UserError(ValueError):
    """Error whose text is the complete message for the user: the problem, where it is, and the remedy."""


class DataError(UserError):
    """Error for images that are missing, unreadable or too few."""


class DownloadError(DataError):
    """Error for a download of a data set that failed."""


class DeviceError(UserError):
    """Error for a device or precision that this machine does not have."""
