"""``python -m dentframe`` runs the command line."""

import sys

from dentframe.cli import main

sys.exit(main())
