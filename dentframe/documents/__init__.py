"""Statements as tables, workbooks, pages and PDF."""
