"""`python -m atlas_viewer` runs `atlas-viewer`."""

import sys

from atlas_viewer.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
