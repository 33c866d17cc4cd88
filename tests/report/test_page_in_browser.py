"""The page in a real browser: it asks nobody for anything, its sounds play, its errors are filtered, all can use it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from helpers.axe import violations
from helpers.chromium import Tab, needs_chromium, open_tab
from helpers.progress import quiet
from labeltool.project import Project
from labeltool.report.run import report as write_report

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.fixture(scope="module")
def page(reported: Project, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    write_report(reported, report=quiet, output=str(path))
    return path


@pytest.fixture
async def tab(page: Path, tmp_path: Path) -> AsyncIterator[Tab]:
    async with open_tab(tmp_path / "profile") as tab:
        await tab.do("Network.enable")
        await opened(tab, page)
        yield tab


async def opened(tab: Tab, page: Path) -> None:
    await tab.do("Page.navigate", url=page.as_uri())
    await tab.until("document.readyState === 'complete' && document.querySelectorAll('.errors').length")


async def test_the_page_asks_for_nothing_and_its_policy_is_kept(tab: Tab, page: Path) -> None:
    requests: list[str] = []
    tab.on("Network.requestWillBeSent", lambda event: requests.append(event["request"]["url"]))
    violations: list[Any] = []
    tab.on("Runtime.consoleAPICalled", violations.append)
    tab.on("Log.entryAdded", violations.append)
    await tab.do("Log.enable")
    await tab.do("Page.reload")
    await tab.until("document.readyState === 'complete' && document.querySelector('audio').readyState > 0")
    await tab.value("document.querySelector('#theme').click()")
    elsewhere = [url for url in requests if not url.startswith("data:") and url != page.as_uri()]
    assert requests and elsewhere == []
    assert violations == []
    # A label is no code: it would have changed the title.
    assert (await tab.value("document.title")).endswith(": report")


async def test_every_error_can_be_played_and_seen(tab: Tab) -> None:
    await tab.until("[...document.querySelectorAll('audio')].every((one) => one.readyState > 0)")
    durations = await tab.value("[...document.querySelectorAll('audio')].map((one) => one.duration)")
    assert len(durations) >= 3 and all(duration == pytest.approx(2.0, abs=0.2) for duration in durations)
    widths = await tab.value("[...document.querySelectorAll('.errors img')].map((one) => one.naturalWidth)")
    assert len(widths) == len(durations) and set(widths) == {360}


async def test_a_cell_of_the_confusion_matrix_shows_its_errors(tab: Tab) -> None:
    cells = await tab.value(
        "[...document.querySelectorAll('button.cell')].map((one) => [Number(one.textContent), one.ariaLabel])"
    )
    visible = "[...document.querySelectorAll('.errors > li')].filter((one) => one.offsetParent).length"
    everything = await tab.value(visible)
    assert sum(count for count, _ in cells) == everything and len(cells) > 1
    for number, (count, label) in enumerate(cells):
        await tab.value(f"document.querySelectorAll('button.cell')[{number}].click()")
        assert await tab.value(visible) == count < everything
        shown = await tab.value("document.querySelector('#shown').textContent")
        assert label in shown and shown.startswith(f"{count} of {everything}")
    await tab.value("document.querySelector('#all').click()")
    assert await tab.value(visible) == everything


async def test_the_map_is_read_and_played_by_pointer_and_keyboard(tab: Tab) -> None:
    points = await tab.value("document.querySelectorAll('#points path[aria-roledescription=point]').length")
    clips = json.loads(await tab.value("document.querySelector('#clips').textContent"))
    assert points == len(clips)
    await tab.value(
        "HTMLMediaElement.prototype.play = function () { window.played = this.src; return Promise.resolve() }"
    )
    audible = next(number for number, clip in enumerate(clips) if clip["sound"])
    point = f"document.querySelectorAll('#points path[aria-roledescription=point]')[{audible}]"
    await tab.value(f"{point}.dispatchEvent(new Event('click'))")
    at = "document.querySelector('#at').textContent"
    assert (await tab.value(at)).startswith(f"Clip {clips[audible]['clip']}: ")
    assert (await tab.value("window.played")) == f"data:audio/mpeg;base64,{clips[audible]['sound']}"
    await tab.value("document.querySelector('#points').focus(); window.played = ''")
    await tab.do("Input.dispatchKeyEvent", type="keyDown", key="Enter")
    assert (await tab.value("window.played")) == f"data:audio/mpeg;base64,{clips[audible]['sound']}"
    seen = {await tab.value(at)}
    for key in ("ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"):
        await tab.do("Input.dispatchKeyEvent", type="keyDown", key=key)
        seen.add(await tab.value(at))
    assert len(seen) > 1
    await tab.value("document.querySelector('#hover').click(); window.played = ''")
    await tab.value(f"{point}.dispatchEvent(new Event('pointerenter'))")
    assert await tab.value("window.played")


@pytest.mark.parametrize(
    ("scheme", "is_shared", "width"),
    [("light", False, 1200), ("dark", False, 420), ("light", True, 420), ("dark", True, 1200)],
)
async def test_axe_finds_nothing(
    scheme: str, is_shared: bool, width: int, page: Path, reported: Project, tmp_path: Path
) -> None:
    if is_shared:
        page = tmp_path / "shared.html"
        write_report(reported, report=quiet, output=str(page), share=True)
    async with open_tab(tmp_path / "profile", size=(width, 800)) as tab:
        await tab.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        await opened(tab, page)
        background = await tab.value("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, background[4:-1].split(","))) < 200) is (scheme == "dark")
        await tab.value("for (const one of document.querySelectorAll('details')) one.open = true")
        assert await violations(tab) == []


async def test_the_page_is_printed_light_with_its_tables_open(tab: Tab, page: Path) -> None:
    await tab.do(
        "Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}]
    )
    await opened(tab, page)
    assert await tab.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert await tab.value("getComputedStyle(document.querySelector('audio')).display") == "none"
    await tab.value(
        "window.open_ = 0; addEventListener('beforeprint', () => "
        "open_ = document.querySelectorAll('details[data-print][open]').length)"
    )
    await tab.do("Page.printToPDF")
    assert await tab.value("open_ === document.querySelectorAll('details[data-print]').length && open_ > 1")
    assert await tab.value("document.querySelectorAll('details[open]').length") == 0
