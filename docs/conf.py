"""Sphinx configuration. The pages under ``api/generated`` are written from the docstrings at build time."""

from sphinx.util.logging import getLogger

import wengert

logger = getLogger(__name__)

project = "Wengert"
author = "The Wengert developers"
copyright = "2026, The Wengert developers"
version = release = wengert.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]

html_theme = "furo"
html_title = f"Wengert {version}"

myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autosummary_ignore_module_all = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say it, with shapes
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True  # an attribute that is also a property is described once
default_role = "code"

# Nitpicky for our own names only: a type in a docstring is prose ("array of shape (n,)"), not a reference.
nitpick_ignore_regex = [("py:.*", r"(?!wengert\.).*")]


def _undocumented_public_names(app, env):
    """Warn about a name in ``wengert.__all__`` that no page of the reference describes."""
    described = env.domains["py"].data["objects"]
    for name in sorted(set(wengert.__all__) - {"__version__"}):
        if f"wengert.{name}" not in described:
            logger.warning("wengert.%s is public, but no page under api/ lists it", name)


def setup(app):
    app.connect("env-check-consistency", _undocumented_public_names)
