"""Stops the program by its own instruction, as cbctl.yaml describes it."""

from __future__ import annotations

from typing import ClassVar

from cbctl.steps.program._call import Call


class Pause(Call):
    summary: ClassVar[str] = "Pause the program"
    setting: ClassVar[str] = "pause"


STEP = Pause()
