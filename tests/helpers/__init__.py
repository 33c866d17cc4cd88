"""What tests of several folders share; no test module imports another one."""

from pathlib import Path

import pytest

# Their assertions explain themselves as those of the tests do.
pytest.register_assert_rewrite(*(f"{__name__}.{path.stem}" for path in Path(__file__).parent.glob("[a-z]*.py")))
