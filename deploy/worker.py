"""Airflow's Celery worker, which imports the libraries of tasks once, before it forks: 2 to 6 s less for each task.

The arguments are those of `airflow celery worker`. The worker serves no logs, because all services share the volume of logs.
"""

import sys

from airflow.__main__ import main

from taxiway_ui.plugin import preload

if __name__ == "__main__":
    preload()
    sys.argv = ["airflow", "celery", "worker", "--skip-serve-logs", *sys.argv[1:]]
    main()
