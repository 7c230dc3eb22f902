"""What a terminal makes of a text: lines, colours, and what does not fit."""

from dataclasses import dataclass

import pyte


@dataclass(frozen=True, slots=True)
class Screen:
    """``lines`` as they stand, ``colours`` the colour of each word that has one."""

    lines: list[str]
    colours: dict[str, str]

    @property
    def text(self) -> str:
        return "\n".join(self.lines).rstrip()


def on_screen(text: str, columns: int = 80, rows: int = 24) -> Screen:
    """A terminal of that size after the text was printed; what scrolled out is kept."""
    screen = pyte.HistoryScreen(columns, max(rows, text.count("\n") * 3 + 1))
    pyte.Stream(screen).feed(text.replace("\n", "\r\n"))
    lines = [line.rstrip() for line in screen.display]
    colours: dict[str, str] = {}
    for row in range(screen.lines):
        word, colour = "", "default"
        for column in range(columns + 1):
            cell = screen.buffer[row][column] if column < columns else screen.default_char
            if cell.fg != colour:
                if colour != "default":
                    colours[word] = colour
                word, colour = "", cell.fg
            word += cell.data
    return Screen(lines, colours)
