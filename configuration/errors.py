"""The one base of every error that a user can cause and mend."""


class TributaryError(Exception):
    """What went wrong, with the key, its value and the remedy; shown without a stack trace."""


class SettingsError(TributaryError):
    """A settings file has an unknown key, lacks one, or holds a value that can't work."""


class InstallError(TributaryError):
    """A part could not be fetched, or is not the one that its lock names."""


class CommandError(TributaryError):
    """A command of somebody else's program failed; with what it said."""


class MartsError(TributaryError):
    """A build or a test of the marts failed; with dbt's own words."""


class ServiceError(TributaryError):
    """A service did not start, become ready, or stop."""
