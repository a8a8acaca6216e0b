"""`python -m pcleantask` is the command `pclean`."""

import sys

from .cli import main

sys.exit(main())
