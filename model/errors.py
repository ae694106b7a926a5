"""Faults that the person at the keyboard can mend."""


class UserError(ValueError):
    """The text is the whole message: what is wrong, where, and the remedy."""


class DataError(UserError):
    """The images named are absent, unreadable or too few."""


class DownloadError(DataError):
    """CIFAR-10 could not be fetched from the internet."""


class DeviceError(UserError):
    """The device or precision asked for is not to be had on this machine."""
