"""Airflow's Celery worker, with what every task imports imported once, before it forks: 2 to 6 s less for each task.

Logs of tasks are read from the volume that all parts share, so the worker serves none. Arguments are those of the worker.
"""

import sys

from airflow.__main__ import main

from taxiway_ui.plugin import preload

if __name__ == "__main__":
    preload()
    sys.argv = ["airflow", "celery", "worker", "--skip-serve-logs", *sys.argv[1:]]
    main()
