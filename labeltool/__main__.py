"""`python -m labeltool` is the `labeltool` command."""

import sys
from io import TextIOWrapper

from labeltool.util import lifetime


def _write_any_text() -> None:
    """Let text that the terminal's encoding lacks, a label in cp1252 say, be written as escapes and not be an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.encoding.lower() not in ("utf-8", "utf8"):
            stream.reconfigure(errors="backslashreplace")


def main() -> None:
    """Run the command line. A signal that arrives while its modules are imported ends it as a later one does."""
    try:
        lifetime.interrupt_on_signals()
        _write_any_text()
        from labeltool.cli.main import main as run_command

        run_command()
    except KeyboardInterrupt:
        lifetime.write_ending(lifetime.INTERRUPTED)
        sys.exit(130)


if __name__ == "__main__":
    main()
