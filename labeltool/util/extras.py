"""What an install may lack: TensorFlow, the extra `train`; and the message where that is needed."""

from __future__ import annotations

from importlib.util import find_spec

from labeltool.errors import ExitCode, LabeltoolError

INSTALL_TRAIN = '`pip install "labeltool[train]"`'
"""How to install what trains."""


class MissingExtraError(LabeltoolError):
    """A package is not installed that the work needs: the call was wrong, and nothing was begun."""

    exit_code = ExitCode.WRONG_CALL


def has_tensorflow() -> bool:
    """Return whether TensorFlow and Keras are installed; neither is imported."""
    try:
        return find_spec("tensorflow") is not None and find_spec("keras") is not None
    except (ImportError, ValueError):  # a finder that forbids them; a module without a spec
        return False


def require_tensorflow(what: str, *, or_else: str = "") -> None:
    """Refuse what needs TensorFlow where it is not installed.

    Parameters
    ----------
    what
        The subject of the sentence: "training".
    or_else
        What does without it, as the end of the remedy.

    Raises
    ------
    MissingExtraError
        Where TensorFlow is not installed.
    """
    if not has_tensorflow():
        remedy = INSTALL_TRAIN + (f"; {or_else}" if or_else else "")
        raise MissingExtraError(f"{what} needs TensorFlow, which is not installed", remedy=remedy)
