"""`python -m labeltool` is the `labeltool` command."""

from labeltool.cli.main import main

if __name__ == "__main__":
    main()
