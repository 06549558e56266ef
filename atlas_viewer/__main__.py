"""`python -m atlas_viewer` is `atlas-viewer`."""

import sys

from atlas_viewer.cli.entry import main

if __name__ == "__main__":
    sys.exit(main())
