"""The Python code in the README and in docs/ runs, and prints what the page says it prints."""

import subprocess
import sys
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE
from pathlib import Path

import pytest
from sybil import Sybil
from sybil.parsers.myst import PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

SYBIL = Sybil([PythonCodeBlockParser(doctest_optionflags=ELLIPSIS | NORMALIZE_WHITESPACE), SkipParser()])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_code_of_page(page):
    for example in SYBIL.parse(page).examples():  # in one namespace, like a reader's session
        example.evaluate()


def test_page_of_what_is_compiled_is_up_to_date():
    command = [sys.executable, "-m", "docs.generate_coverage", "--check"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
