# SPDX-License-Identifier: MIT
"""A terminal that keeps its screen: a pseudo-terminal with a terminal emulator behind it (python3-pyte)."""
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time

import common

try:
    import pyte
except ImportError:
    pyte = None

NEEDS_PYTE = "python3-pyte is not installed"
WIDTHS = (40, 80, 160)
COLOURS = {"DONE": "green", "READY": "green", "WARNING": "brown", "NOT DONE": "brown", "NOT READY": "brown", "ON TEST": "brown",
           "REFUSED": "brown", "WENT BACK": "brown", "UNPROVEN": "brown", "UNKNOWN": "brown", "NO ANSWER": "brown",
           "DIFFERENT": "brown", "FAILED": "red", "BROKEN": "red", "RECOVERY": "red"}
LABEL = 11  # columns of the first word

if pyte:
    class Screen(pyte.Screen):
        """Remembers which rows are the rest of the row above, because the terminal and not the program broke the line."""

        def __init__(self, columns, lines):
            super().__init__(columns, lines)
            self.rests, self.drawing = set(), False

        def draw(self, data):
            self.drawing = True
            super().draw(data)
            self.drawing = False

        def linefeed(self):
            super().linefeed()
            (self.rests.add if self.drawing else self.rests.discard)(self.cursor.y)


class Terminal:
    """A program on a terminal, its screen, and each state that the line with the cursor was in."""

    def __init__(self, case, words, columns, lines=60, term="xterm", cwd=None, program=None, **env):
        self.screen = Screen(columns, lines)
        self.stream = pyte.ByteStream(self.screen)
        self.raw, self.live = b"", []
        program = program or [common.BIN]
        pid, self.fd = pty.fork()
        if pid == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.chdir(cwd or ".")
            os.execvpe(program[0], [*program, *words], dict(case.env, TERM=term, **env))
        self.pid = pid
        case.addCleanup(self.kill)

    def kill(self):
        """What a failed test leaves behind would hold its port."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def pump(self, until=None, seconds=60):
        """Reads until the words are on the screen, wherever their lines are broken, or to the end."""
        end, until = time.monotonic() + seconds, until and "".join(until.split())
        while time.monotonic() < end:
            if until and until in "".join(self.text().split()):
                return True
            if not select.select([self.fd], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            if not data:
                return until is None
            for n, piece in enumerate(data.split(b"\r")):
                self.stream.feed(b"\r" + piece if n else piece)
                self.live.append(self.row(self.screen.cursor.y))
            self.raw += data
        return False

    def row(self, y):
        cells = self.screen.buffer[y]
        return "".join(cells[x].data for x in range(self.screen.columns)).rstrip()

    def lines(self):
        return [row.rstrip() for row in self.screen.display]

    def text(self):
        return "\n".join(self.lines())

    def written(self):
        """Lines as the program wrote them: what the terminal alone broke is one."""
        lines = []
        for y, row in enumerate(self.screen.display):
            if y in self.screen.rests:
                lines[-1] += row
            else:
                lines.append(row)
        return [line.rstrip() for line in lines]

    def prose(self):
        """All words in a row."""
        return " ".join(" ".join(self.written()).split())

    def command(self):
        """What is printed to be typed, or None."""
        rows = [line[LABEL:] for line in self.written() if line.startswith("Next ")]
        return rows[0] if rows else None

    def type(self, text):
        os.write(self.fd, text.encode())

    def colour(self, word):
        for y, row in enumerate(self.screen.display):
            if row.startswith(word):
                return self.screen.buffer[y][0].fg
        return None

    def wrong_colour(self):
        """None, or the line that is not as it must be: its first word in the colour of the outcome, all else plain."""
        for y, row in enumerate(self.screen.display):
            label = row[:LABEL].rstrip() if y not in self.screen.rests else ""
            colours = [(x, self.screen.buffer[y][x].fg) for x, char in enumerate(row.rstrip()) if char != " "]
            if row.rstrip().endswith(" ok"):
                colours = colours[:-2]
            for x, colour in colours:
                if colour != (COLOURS.get(label, "default") if x < LABEL else "default"):
                    return row
        return None

    def end(self):
        self.pump()
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)
