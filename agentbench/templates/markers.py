"""Texts that mean something in a layout, and how free text says them without the meaning.

A thought or an answer may quote anything, `</think>` or a line that starts with `FINAL:` too. Inside free text such a
marker gets a backslash behind its first character, `<\\/think>`, and one more if it had some already. That is
reversible for every text and changes none that holds no marker.
"""

from __future__ import annotations

import re

from agentbench.types import Final

FINAL = "FINAL:"
"""Stands before an answer that follows a thought; a model may put it before any answer."""

_FINAL_LINE = re.compile(f"^{FINAL}", re.MULTILINE)


class Guard:
    """Breaks the given markers in free text, and `FINAL:` at the start of a line if `answers` says so."""

    def __init__(self, *markers: str, answers: bool = True) -> None:
        places = [(f"(?<={re.escape(marker[0])})", re.escape(marker[1:])) for marker in markers]
        if answers:
            places.append((f"(?<=^{FINAL[0]})", re.escape(FINAL[1:])))
        self._whole = re.compile("|".join(f"{before}\\\\*(?={after})" for before, after in places), re.MULTILINE)
        self._broken = re.compile("|".join(f"{before}\\\\+(?={after})" for before, after in places), re.MULTILINE)

    def broken(self, text: str) -> str:
        """The text with no whole marker in it."""
        return self._whole.sub(lambda found: "\\" + found[0], text)

    def whole(self, text: str) -> str:
        """The text that `broken` made this one from; any other text without broken markers as it is."""
        return self._broken.sub(lambda found: found[0][1:], text)

    def thought_and_answer(self, thought: str, answer: str) -> str:
        """An answer as an assistant writes it, after its thought if there is one."""
        if not thought:
            return self.broken(answer)
        return f"{self.broken(thought)}\n{FINAL} {self.broken(answer)}"

    def read_final(self, text: str, thought: str = "") -> Final:
        """The answer a text gives: all of it, or what follows the first line that starts with `FINAL:`.

        Raises:
            ValueError: no answer is left.
        """
        line = _FINAL_LINE.search(text)
        before, after = (text[: line.start()], text[line.end() :]) if line else ("", text)
        answer = self.whole(after.strip())
        if not answer:
            raise ValueError("neither a tool call nor an answer")
        said = (thought, before.strip())
        return Final(answer, self.whole("\n".join(part for part in said if part)))
