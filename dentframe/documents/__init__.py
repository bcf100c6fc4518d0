"""The package writes statements as tables, workbooks, pages and PDF."""
