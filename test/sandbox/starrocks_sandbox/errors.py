"""Exceptions that carry what the client is to be told."""


class SandboxError(Exception):
    """An error whose text goes to the client as it stands."""


class SqlError(SandboxError):
    """A statement that cannot be carried out."""

    def __init__(self, message, code=1064):
        super().__init__(message)
        self.code = code


class LoadError(SandboxError):
    """A Stream Load that ends with Status Fail, or another that a fault asks for."""

    def __init__(self, message, status="Fail"):
        super().__init__(message)
        self.status = status


class HeaderError(LoadError):
    """A load refused by its headers, before any transaction was begun."""


class LabelExists(SandboxError):
    """The label belongs to a live or finished transaction of the database."""

    def __init__(self, label, job_status):
        super().__init__(f"Label [{label}] has already been used.")
        self.job_status = job_status


class ConnectionCut(Exception):
    """The peer is gone, or a fault cut the connection."""
