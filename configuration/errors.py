"""Errors that a user can fix, all with one base class."""


class TributaryError(Exception):
    """An error that a user can fix; shown without a stack trace.

    The message says what went wrong and names the key, its value and the remedy.
    """


class SettingsError(TributaryError):
    """A settings file has an unknown key, a missing key, or an invalid value."""


class TemplateError(TributaryError):
    """A template and the values for it do not match."""


class InstallError(TributaryError):
    """A part could not be fetched, or does not match its lock."""


class CommandError(TributaryError):
    """An external command failed; the message includes its output."""


class MartsError(TributaryError):
    """A build or a test of the marts failed; the message includes dbt's output."""


class ServiceError(TributaryError):
    """A service did not start, become ready, or stop."""
