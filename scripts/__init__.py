"""Set-up, checks and benchmarks. Standard library only where a fresh machine runs them."""

import sys

# Said here, before anything is imported that an older Python lacks or cannot even read.
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit("Alcove needs Python 3.11 or later; this is {}.{}.{}.".format(*sys.version_info[:3]))
