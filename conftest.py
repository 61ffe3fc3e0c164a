"""Runs the Python code blocks of the README and of the documentation as tests, each page in one namespace."""

from doctest import NORMALIZE_WHITESPACE

import pytest
from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser

collect_ignore = ["docs/conf.py"]

pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(doctest_optionflags=NORMALIZE_WHITESPACE), SkipParser()],
    patterns=["README.md", "docs/*.md"],
).pytest()


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the mark
def pytest_collection_modifyitems(items):
    """Keep the blocks of a page in one process, in order, when tests are spread over several."""
    for item in items:
        if item.path.suffix == ".md":
            item.add_marker(pytest.mark.xdist_group(item.path.name))
