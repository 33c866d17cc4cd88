"""Pictures of pixels: what a terminal says it shows, what is written to it, and when it is removed again."""

from __future__ import annotations

import base64
import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.app import opened, shows, text_of, until
from labeltool import project as projects
from labeltool.project import Project
from labeltool.settings import Pixels
from labeltool.tui.dialogs.help import Help
from labeltool.tui.media.graphics import Graphics, graphics_of, terminal_graphics
from labeltool.tui.media.pixels import picture_pieces, sixel
from labeltool.tui.widgets.spectrogram import Spectrogram
from labeltool.util.png import png

COLOURS = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [51, 102, 153]], np.uint8)


def picture(height: int, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Noise with long runs of one colour, and one row of another."""
    levels = np.random.default_rng(1).integers(0, 3, (height, width)).astype(np.uint8)
    levels[:, width // 3 : 2 * width // 3] = 1
    levels[height // 2] = 3
    return levels


def decoded_sixel(text: str) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The numbers of the colours, as a terminal draws them."""
    body = text[text.index("q") + 1 : -2]
    header = re.match(r'"1;1;(\d+);(\d+)', body)
    assert header is not None
    width, height = int(header[1]), int(header[2])
    drawn = np.full((height + 5, width), 99, np.uint8)
    x = y = colour = 0
    tokens = r"#\d+;2;\d+;\d+;\d+|#(?P<colour>\d+)|(?:!(?P<count>\d+))?(?P<dots>[?-~])|(?P<home>\$)|(?P<next>-)"
    for token in re.finditer(tokens, body[header.end() :]):
        if token["colour"]:
            colour = int(token["colour"])
        elif token["dots"]:
            count = int(token["count"] or 1)
            for row in range(6):
                if (ord(token["dots"]) - 63) >> row & 1:
                    drawn[y + row, x : x + count] = colour
            x += count
        elif token["home"] or token["next"]:
            x, y = 0, y + 6 * bool(token["next"])
    return drawn[:height]


@pytest.mark.parametrize("size", [(1, 1), (6, 4), (31, 1203), (100, 17)])
def test_a_terminal_that_decodes_it_sees_the_picture(size: tuple[int, int]) -> None:
    levels = picture(*size)
    assert (decoded_sixel(sixel(levels, COLOURS)) == levels).all()
    shown = np.array(Image.open(io.BytesIO(png(levels, COLOURS))).convert("RGB"))
    assert (shown == COLOURS[levels]).all()


def test_a_large_sixel_comes_in_pieces_that_xterm_takes() -> None:
    levels = picture(30 * 40, 150 * 10)
    whole = np.full_like(levels, 99)
    for x, y, text in picture_pieces(Graphics.SIXEL, levels, COLOURS, (150, 30)):
        piece = decoded_sixel(text)
        assert max(piece.shape) <= 1000
        whole[y * 40 : y * 40 + piece.shape[0], x * 10 : x * 10 + piece.shape[1]] = piece
    assert (whole == levels).all()


def test_the_chunks_of_a_kitty_picture_are_one_png() -> None:
    levels = picture(200, 300)
    ((_, _, text),) = picture_pieces(Graphics.KITTY, levels, COLOURS, (30, 10))
    chunks = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert all(len(data) <= 4096 for _, data in chunks)
    assert [keys.endswith("m=1") for keys, _ in chunks] == [True] * (len(chunks) - 1) + [False]
    assert base64.b64decode("".join(data for _, data in chunks)) == png(levels, COLOURS)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"\x1bP>|kitty(0.26.5)\x1b\\\x1b[?62;c", Graphics.KITTY),
        (b"\x1bP>|ghostty 1.0.1\x1b\\\x1b[?62;22c", Graphics.KITTY),
        (b"\x1bP>|WezTerm 20240203\x1b\\\x1b[?65;4;6;18;22c", Graphics.ITERM),
        (b"\x1bP>|XTerm(379)\x1b\\\x1b[?63;1;2;4;6;9;15;22c", Graphics.SIXEL),
        (b"\x1bP>|XTerm(379)\x1b\\\x1b[?64;1;2;6;44c", Graphics.NONE),
        (b"\x1b[?6c", Graphics.NONE),
        (b"", Graphics.NONE),
    ],
)
def test_what_a_terminal_shows_is_known_by_its_answer(answer: bytes, expected: Graphics) -> None:
    assert graphics_of(answer) is expected


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        *(("NO_COLOR", "1", Pixels.ON), ("TERM", "tmux-256color", Pixels.ON), ("TEXTUAL_DRIVER", "x", Pixels.ON)),
        ("SSH_CONNECTION", "10.0.0.1", Pixels.AUTO),
    ],
)
def test_a_terminal_without_pixels_gets_no_query(
    name: str, value: str, wanted: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv(name, value)
    monkeypatch.setattr("labeltool.tui.media.graphics._answer", lambda _: pytest.fail("it was asked"))
    assert terminal_graphics(wanted) is Graphics.NONE


def escape_texts(spectrogram: Spectrogram) -> str:
    """What its lines write beside letters."""
    return "".join(
        segment.text
        for strip in spectrogram.render_lines(spectrogram.size.region)
        for segment in strip
        if segment.control
    )


async def test_the_picture_is_written_with_the_lines_and_removed_below_a_dialog(
    app_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(app_project) as (app, screen, pilot):
        spectrogram = screen.query_one(Spectrogram)
        assert escape_texts(spectrogram) == "" and "▀" in text_of(spectrogram)
        written: list[str] = []
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", written.append)
        app.use_graphics(Graphics.KITTY)
        picture_text = escape_texts(spectrogram)
        assert picture_text.startswith("\x1b7\x1b[") and "\x1b_Ga=T" in picture_text
        assert "▀" not in text_of(spectrogram)
        number = re.search(r"i=(\d+)", picture_text)
        assert number is not None
        await shows(pilot, Help, "question_mark")
        removal = f"\x1b_Ga=d,d=I,i={number[1]},q=2\x1b\\"
        assert "▀" in text_of(spectrogram) and escape_texts(spectrogram) == removal
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is screen, "the view")
        assert escape_texts(spectrogram) == picture_text
        await pilot.press("B")
        await until(pilot, lambda: any(removal in text for text in written), "its removal for another view")


async def test_the_playhead_crosses_a_kitty_picture_and_points_at_others(app_project: Project) -> None:
    async with opened(app_project) as (app, screen, pilot):
        await pilot.press("space")
        spectrogram = screen.query_one(Spectrogram)
        for graphics, rows in ((Graphics.KITTY, "│"), (Graphics.SIXEL, "▲"), (Graphics.ITERM, "▲")):
            app.use_graphics(graphics)
            spectrogram.playhead = 0.5
            lines = text_of(spectrogram).splitlines()
            assert ("│" in lines[1]) is (rows == "│")
            assert ("▲" in lines[-1]) is (rows == "▲")


async def test_f7_changes_between_pixels_and_half_blocks_and_is_kept(app_project: Project) -> None:
    async with opened(app_project) as (app, screen, pilot):
        await pilot.press("f7")
        await until(pilot, lambda: "not known to show pixels" in screen.notice.text, "the notice")
        app.use_graphics(Graphics.SIXEL)
        spectrogram = screen.query_one(Spectrogram)
        assert "\x1bP" in escape_texts(spectrogram)
        await pilot.press("f7")
        await until(pilot, lambda: "half blocks" in screen.notice.text, "half blocks")
        assert escape_texts(spectrogram) == "" and "▀" in text_of(spectrogram)  # text erases a Sixel
    assert projects.load(app_project.directory).settings.app.pixels is Pixels.OFF
