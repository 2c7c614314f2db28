"""What a self-test found, in words that a supervisor can read out."""

from __future__ import annotations

from dataclasses import dataclass

from assign.encoding import Json

__all__ = ["OVERALL_FALSE_ALARM", "Check", "SelfTestReport"]

OVERALL_FALSE_ALARM = (1, 1_000_000)
"""How often a sound build would be called unsound, were the keys of the statistics drawn anew each time. They
are fixed, so that a sound build gets the same figures, and the same verdict, each time and everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check and its result.

    Attributes:
        name: short and stable, such as `shuffle-positions`.
        words: what is checked, as a phrase.
        detail: the figures, or what was wrong.
        is_optional: a tool that is not there does not count against the build.
    """

    name: str
    words: str
    is_passed: bool
    detail: str
    is_optional: bool = False

    def to_json(self) -> Json:
        """An object of the attributes."""
        return {
            "detail": self.detail,
            "is_optional": self.is_optional,
            "is_passed": self.is_passed,
            "name": self.name,
            "words": self.words,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfTestReport:
    """The whole result.

    Attributes:
        algorithm: the id of the installed draw.
        known, chance: known answers, and statistics.
        is_long: the long battery ran.
    """

    algorithm: str
    known: tuple[Check, ...]
    chance: tuple[Check, ...]
    is_long: bool

    @property
    def wrong(self) -> tuple[Check, ...]:
        """What failed."""
        return tuple(check for check in (*self.known, *self.chance) if not check.is_passed)

    @property
    def is_sound(self) -> bool:
        """Whether nothing failed."""
        return not self.wrong

    def verdict(self) -> str:
        """One or two sentences: may this build draw?"""
        if self.is_sound:
            return (
                f"SOUND. This build gives every published answer ({len(self.known)} checks), and chance falls evenly "
                f"({len(self.chance)} statistics; with other keys a sound build would fail at most one time in "
                f"{OVERALL_FALSE_ALARM[1]:,}). It may draw."
            )
        names = ", ".join(check.name for check in self.wrong)
        return (
            f"NOT SOUND: {names}. Do not draw with this build: install it again from a source you trust, and keep "
            "this report."
        )

    def to_json(self) -> Json:
        """An object of the attributes and the verdict."""
        numerator, denominator = OVERALL_FALSE_ALARM
        return {
            "algorithm": self.algorithm,
            "chance": [check.to_json() for check in self.chance],
            "false_alarm": f"{numerator}/{denominator}",
            "is_long": self.is_long,
            "is_sound": self.is_sound,
            "known": [check.to_json() for check in self.known],
            "verdict": self.verdict(),
        }
