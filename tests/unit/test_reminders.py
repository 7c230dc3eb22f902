"""When a trouble that lasts is said again, and what is said of its age."""

import pytest

from reconciler.core.reminders import Reminders

MINUTE, HOUR = 60.0, 3600.0


def said_at(times: list[float], text: str = "no") -> list[float]:
    """At which of these times a trouble that is met at each of them is said."""
    reminders, said = Reminders(), []
    for time in times:
        reminders = reminders.met({"it": text}, time)
        said += [time] if reminders.said else []
    return said


@pytest.mark.parametrize(
    ("met", "said", "why"),
    [
        ([0], [0], "at once"),
        ([0, 1, 59], [0], "not again within a minute"),
        ([0, 60, 61, 299], [0, 60], "after a minute"),
        ([0, 60, 300, 301, 3599], [0, 60, 300], "after five"),
        ([0, 60, 300, 3600, 3601, 7199, 7200], [0, 60, 300, 3600, 7200], "then every hour"),
        ([0, 250, 301], [0, 250, 301], "late where nobody looked earlier, and the next one in time"),
        ([0, 400, 500, 3500, 3600], [0, 400, 3600], "one saying stands for all that are due"),
        ([0, 10 * HOUR + 5, 10 * HOUR + 60, 11 * HOUR], [0, 10 * HOUR + 5, 11 * HOUR], "at the full hours of its age"),
        ([7, 66, 67], [7, 67], "its age counts, not the clock"),
    ],
)
def test_a_trouble_is_said_at_once_after_one_minute_after_five_and_every_hour(
    met: list[float], said: list[float], why: str
) -> None:
    assert said_at(met) == said, why


def test_a_day_of_a_trouble_that_is_met_every_minute_is_27_lines() -> None:
    assert len(said_at([n * MINUTE for n in range(24 * 60 + 1)])) == 3 + 24


def test_another_text_is_said_at_once_and_one_that_was_said_waits_its_turn() -> None:
    reminders, said = Reminders(), []
    for time, text in enumerate(["500", "timeout", "500", "timeout", "500"]):
        reminders = reminders.met({"it": text}, float(time))
        said += [text] if reminders.said else []
    assert said == ["500", "timeout"]
    assert reminders.met({"it": "500"}, 60.0).said == ("it",)
    assert reminders.facts("it") == {"since": 4, "times": 5}


def test_texts_without_end_do_not_fill_the_memory() -> None:
    reminders = Reminders()
    for time in range(100):
        reminders = reminders.met({"it": f"request {time}"}, float(time) / 10)
        assert reminders.said == ("it",)
    assert len(reminders.lasting["it"].texts) == 20


def test_the_first_saying_has_no_age_and_the_later_ones_do() -> None:
    reminders = Reminders().met({"it": "no"}, 100.0)
    assert (reminders.lasting["it"].age, reminders.facts("it")) == (0.0, {})
    assert reminders.met({"it": "no"}, 160.4).facts("it") == {"since": 60, "times": 2}


def test_what_is_over_is_named_once_with_its_age_and_is_new_when_it_comes_back() -> None:
    reminders = Reminders().met({"a": "no", "b": "no"}, 5.0).met({"a": "no", "b": "no"}, 35.0).met({"b": "no"}, 75.0)
    assert list(reminders.over) == ["a"]
    assert reminders.facts("a") == {"since": 70, "times": 2}, "it went on until it was seen to be over"
    assert reminders.said == ("b",)
    reminders = reminders.met({"a": "no", "b": "no"}, 76.0)
    assert (list(reminders.over), reminders.said) == ([], ("a",))


def test_the_last_one_is_over_too_and_then_nothing_is() -> None:
    reminders = Reminders().met({"a": "no"}, 5.0).met({}, 35.0)
    assert (list(reminders.over), reminders.facts("a")) == (["a"], {"since": 30, "times": 1})
    assert (reminders.lasting, reminders.said) == ({}, ())
    assert reminders.met({}, 36.0) == Reminders()
