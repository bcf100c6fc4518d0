"""Statements as tables, workbooks, pages and PDF: the edge where files are written."""
