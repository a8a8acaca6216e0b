"""What casacore remembers of times, gone through beforehand; test_frames.py shows that it does so."""

from __future__ import annotations

from pcleantask.gridding.data.casacore_memory import COEFFICIENTS_S, KEPT, ROTATION_S, Memory, Moment, Visit, moments

HOUR = 3600.0


def visits(times: list[float], field: int = 0, description: int = 0, vis: str = "a.ms") -> list[Visit]:
    return [Visit(vis, description, field, time) for time in times]


def test_near_times_share_what_was_worked_out() -> None:
    memory = Memory()
    assert memory.ask(0.0) == Moment(0.0, 0.0, 0.0)
    assert memory.ask(COEFFICIENTS_S) == Moment(COEFFICIENTS_S, 0.0, 0.0)
    assert memory.ask(ROTATION_S) == Moment(ROTATION_S, ROTATION_S, 0.0)
    assert memory.ask(ROTATION_S + 1) == Moment(ROTATION_S + 1, ROTATION_S, ROTATION_S + 1)
    assert memory.ask(100.0) == Moment(100.0, 0.0, ROTATION_S + 1)  # the first that is near enough
    assert memory.ask(0.0) == Moment(0.0, 0.0, 0.0)


def test_what_was_longest_not_used_is_forgotten() -> None:
    memory = Memory()
    for number in range(KEPT):
        memory.ask(number * HOUR)
    memory.ask(10.0)
    memory.ask(KEPT * HOUR)
    assert memory.ask(20.0).coefficients == 0.0
    assert memory.ask(HOUR + 20).coefficients == HOUR + 20


def test_data_are_gone_through_window_by_window_and_then_field_by_field() -> None:
    late = visits([400.0, 7000.0], field=1)
    found = moments([*late, *visits([0.0, 3300.0, 3500.0])])
    first, between, beyond = (found[visit] for visit in visits([0.0, 3300.0, 3500.0]))
    assert first == Moment(0.0, 0.0, 0.0)
    assert between.coefficients == 3500.0  # known from the search for the range of frequencies
    assert beyond == Moment(3500.0, 3500.0, 3500.0)
    assert found[late[0]] == Moment(400.0, 0.0, 3500.0)


def test_data_sets_are_gone_through_in_their_order() -> None:
    found = moments([*visits([1000.0], vis="b.ms"), *visits([0.0], vis="a.ms")])
    assert {moment.coefficients for moment in found.values()} == {1000.0}
