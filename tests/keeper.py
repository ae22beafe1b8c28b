"""Cleans up after a test run, however that ends: standard input closes when the process at its other end is gone.

`keeper.py run COMMAND...` runs a command in a session of its own, and ends that session. `keeper.py then COMMAND...` waits, and runs
a command at the end, unless it is told `done` before.
"""

import subprocess
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "operators"))

from taxiway.local.processes import end_all, session_members


def run(command: list[str]) -> int:
    """Run a command until it ends by itself, or standard input closes; nothing of its session is left."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)

    def end() -> None:
        sys.stdin.read()
        process.terminate()
        end_all(lambda: session_members(process.pid))
        process.kill()

    threading.Thread(target=end, daemon=True).start()
    code = process.wait()
    end_all(lambda: session_members(process.pid))
    return code


def then(command: list[str]) -> int:
    """Run a command when standard input closes without a word."""
    return 0 if sys.stdin.read() == "done" else subprocess.call(command, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit({"run": run, "then": then}[sys.argv[1]](sys.argv[2:]))
