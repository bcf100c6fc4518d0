"""How the site is built: ``make docs``. Pages are Markdown; notebooks come with their outputs."""

from __future__ import annotations

import shutil
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).parent


def bring_notebooks(source: Path, target: Path) -> None:
    """Copy the notebooks beside the pages, and forget those that are gone.

    A copy keeps its time, so that a second build re-reads what has changed and nothing else.
    """
    target.mkdir(exist_ok=True)
    names = {path.name for path in source.glob("*.ipynb")}
    for old in target.glob("*.ipynb"):
        if old.name not in names:
            old.unlink()
    for name in names:
        shutil.copy2(source / name, target / name)


bring_notebooks(HERE.parent / "notebooks", HERE / "notebooks")

project = "dentframe"
author = "the dentframe founders"
copyright = author  # noqa: A001 - Sphinx reads this name
release = version = version_of("dentframe")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "*.py"]
nitpicky = False

myst_enable_extensions = ["attrs_block"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_mime_priority_overrides = [("html", "text/html", 0)]

autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_rtype = False

html_theme = "pydata_sphinx_theme"
html_title = "dentframe"
html_static_path = ["_static"]
html_css_files = ["dentframe.css"]
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 7,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_context = {"default_mode": "auto"}
