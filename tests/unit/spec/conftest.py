"""What the tests of pipeline files share."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))  # for `minimal`, which the tests of this folder share
