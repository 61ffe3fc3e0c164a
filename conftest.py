"""Settings of every test run."""

import os

# Tests compile what is in the source code now, and leave nothing behind; tests of the cache have folders of their own.
os.environ["WENGERT_CACHE"] = "0"
