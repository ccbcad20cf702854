"""The text of a web page: what a reader would read of it, by rules that know HTML and no particular site."""

from __future__ import annotations

from html.parser import HTMLParser

_SKIPPED = frozenset(
    {"script", "style", "noscript", "template", "svg", "nav", "header", "footer", "aside", "form", "button", "head"}
)
_BREAKS = frozenset(
    {"p", "div", "br", "li", "ul", "ol", "tr", "table", "section", "article", "main", "blockquote", "pre"}
    | {"h1", "h2", "h3", "h4", "h5", "h6"}
)


def page_text(html: str) -> str:
    """The text of a page, one line for each paragraph; of `main` or `article` alone where the page has one.

    Scripts, menus, headers, footers and forms are left out. What a page makes by scripts is not seen.
    """
    reader = _Reader()
    reader.feed(html.replace("<![", "<?["))  # either is a comment to browsers; the first one stops Python's parser
    reader.close()
    return _lines(reader.inner) or _lines(reader.text)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []
        self.inner: list[str] = []
        """What stands in the page's main part."""
        self._skipped: list[str] = []
        self._main = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _SKIPPED:
            self._skipped.append(tag)
        if tag in ("main", "article"):
            self._main += 1
        if tag in _BREAKS:
            self._say("\n")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._skipped:
            while self._skipped.pop() != tag:
                pass
        if tag in ("main", "article") and self._main:
            self._main -= 1
        if tag in _BREAKS:
            self._say("\n")

    def handle_data(self, data: str) -> None:
        if not self._skipped:
            self._say(data)

    def _say(self, text: str) -> None:
        self.text.append(text)
        if self._main:
            self.inner.append(text)


def _lines(parts: list[str]) -> str:
    lines = (" ".join(line.split()) for line in "".join(parts).split("\n"))
    return "\n".join(line for line in lines if line)
