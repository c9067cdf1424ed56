"""Check the links of a built site without a network: every file and every anchor that a page names is there.

python docs/links.py docs/_build
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit


class Page(HTMLParser):
    """What a page links to, and the anchors that it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names."""
        for name, value in attrs:
            if name in ("href", "src") and value and tag != "form":
                self.links.add(value)
            elif name in ("id", "name") and value:
                self.anchors.add(value)


def broken(site: Path) -> list[str]:
    """The links that lead nowhere, one line each; those to other hosts are not followed."""
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    found = []
    for path, page in sorted(pages.items()):
        for link in sorted(page.links):
            target, anchor = urldefrag(link)
            if urlsplit(link).scheme or link.startswith("//"):
                continue
            there = path if not target else (path.parent / unquote(urlsplit(target).path)).resolve()
            if not there.exists():
                found.append(f"{path.name}: {link}, no such file")
            elif anchor and there in pages and unquote(anchor) not in pages[there].anchors:
                found.append(f"{path.name}: {link}, no such place")
    return found


def main() -> int:
    """The command."""
    site = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/_build")
    problems = broken(site)
    print(
        "\n".join(problems) or f"{len(list(site.rglob('*.html')))} pages, every link leads somewhere",
        file=sys.stderr,
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
