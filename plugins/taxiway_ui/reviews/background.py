"""Threads for work beside the requests. Unlike those of an executor, they do not keep the API server from ending."""

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

T = TypeVar("T")


class Background:
    """A pool of daemon threads, which are started when they are needed.

    Args:
        workers: The number of threads.
        name: The beginning of their names.
    """

    def __init__(self, workers: int, name: str) -> None:
        self._workers = workers
        self._name = name
        self._started = 0
        self._lock = Lock()
        self._waiting: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()

    def submit(self, work: Callable[[], T]) -> "Future[T]":
        """Let a thread do some work; returns its result when it is there."""
        done: Future[T] = Future()
        self._waiting.put((done, work))
        with self._lock:
            if self._started < self._workers:
                self._started += 1
                Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True).start()
        return done

    def _work(self) -> None:
        while True:
            done, work = self._waiting.get()
            done.set_running_or_notify_cancel()
            try:
                done.set_result(work())
            except BaseException as error:  # of the work, for whoever asks for its result
                done.set_exception(error)
