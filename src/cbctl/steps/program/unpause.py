"""Lets the program go on by its own instruction, as cbctl.yaml describes it."""

from __future__ import annotations

from typing import ClassVar

from cbctl.steps.program._call import Call


class Unpause(Call):
    summary: ClassVar[str] = "Let a paused program go on"
    setting: ClassVar[str] = "unpause"


STEP = Unpause()
