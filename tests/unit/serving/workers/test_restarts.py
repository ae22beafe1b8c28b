from taxiway.serving.workers.restarts import SOON_S, Restarts


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def waits(clock: Clock, restarts: Restarts, processes: int, lived_s: float) -> list[float]:
    """How long each process is waited for, if each one lives so long."""
    found = []
    for _ in range(processes):
        found.append(restarts.wait_s)
        clock.now += restarts.wait_s
        restarts.started()
        clock.now += lived_s
        restarts.ended()
    return found


def test_delays_grow_up_to_half_a_minute_if_one_process_after_another_ends_soon() -> None:
    clock = Clock()
    assert waits(clock, Restarts(clock), 13, 1.0) == [0, 0, 0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30]


def test_processes_that_end_now_and_then_are_replaced_at_once() -> None:
    clock = Clock()
    assert waits(clock, Restarts(clock), 50, SOON_S + 1) == [0] * 50


def test_a_process_that_lives_ends_the_delays() -> None:
    clock = Clock()
    restarts = Restarts(clock)
    waits(clock, restarts, 8, 1.0)
    assert restarts.wait_s
    waits(clock, restarts, 1, SOON_S + 1)
    assert not restarts.wait_s
    assert restarts.ended_soon == 1
