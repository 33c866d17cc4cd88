"""`python -m labeltool` is the `labeltool` command."""

import sys

from labeltool.util import lifetime


def main() -> None:
    """Run the command line. A signal that arrives while its modules are imported ends it as a later one does."""
    try:
        lifetime.interrupt_on_signals()
        from labeltool.cli.main import main as run_command

        run_command()
    except KeyboardInterrupt:
        lifetime.write_ending(lifetime.INTERRUPTED)
        sys.exit(130)


if __name__ == "__main__":
    main()
