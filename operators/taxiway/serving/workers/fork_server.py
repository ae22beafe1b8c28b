"""The start of the fork server of `multiprocessing`, before it imports the libraries of worker processes; see `libraries`.

The gateway's own process never imports this module.
"""

import signal

from taxiway.credentials import forget_variables
from taxiway.serving.workers.process import limit_threads

forget_variables()  # workers run code of teams, which needs no tokens of the gateway
limit_threads()  # libraries read the limits when they are loaded
# A service manager's SIGTERM to the process group must not end workers that the gateway has not drained. They end with the gateway.
signal.signal(signal.SIGTERM, signal.SIG_IGN)
