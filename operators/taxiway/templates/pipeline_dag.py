"""The DAG class of pipelines: `close_run` comes after all other tasks, also after those that a team adds."""

from airflow.sdk import DAG

from taxiway.operators import CloseRunOperator


class PipelineDag(DAG):
    """A DAG whose `close_run` waits for all other tasks.

    A team adds tasks after the template has returned the DAG, so the last links are set when Airflow has read the whole file.
    """

    def validate(self) -> None:
        """Set the missing links; Airflow calls this before it uses a DAG."""
        self.close_last()
        super().validate()  # type: ignore[no-untyped-call]

    def close_last(self) -> None:
        """Make each task an upstream of `close_run`, except those that run after it.

        A setup task is not linked: Airflow would take `close_run` for its teardown, and skip it if the setup failed.
        """
        for close_run in [task for task in self.tasks if isinstance(task, CloseRunOperator)]:
            after = close_run.get_flat_relative_ids(upstream=False)
            for task in self.tasks:
                if task is not close_run and not task.is_setup and task.task_id not in close_run.upstream_task_ids | after:
                    task >> close_run
