"""The page's server, asked by somebody who is not its page."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
import soundfile

from helpers.command_line import labeltool
from helpers.level_network import label_clips
from helpers.processes import alive, children
from helpers.serve import PageServer, browser
from helpers.waits import until
from helpers.whisper import SENTENCES, write_whisper
from labeltool.project import Project
from labeltool.similarity import search
from labeltool.store import clips
from labeltool.web import page
from labeltool.web.page import MAX_BYTES


@pytest.fixture
def sound(tmp_path: Path) -> bytes:
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.full(16_000, 0.4), 16_000)
    return path.read_bytes()


async def answers(client: aiohttp.ClientSession, url: str, body: bytes) -> list[dict[str, Any]]:
    async with client.post(url, data=body) as answer:
        assert answer.status == 200
        return [json.loads(line) async for line in answer.content]


async def test_without_the_secret_there_is_nothing_and_from_elsewhere_neither(
    server: PageServer, sound: bytes, temporary: Path
) -> None:
    port = server.url.rpartition(":")[2]
    async with aiohttp.ClientSession() as stranger:
        for path in ("/", "/page.js", "/page.css", "/clips/1.wav", "/nowhere", "/?token=x"):
            async with stranger.get(f"{server.url}{path}") as answer:
                assert answer.status == 403, path
        for path in ("/try", "/send", "/try?token=x"):
            async with stranger.post(f"{server.url}{path}", data=sound) as answer:
                assert answer.status == 403, path
    async with browser(server) as client:
        for strange in ({"Origin": "http://evil.example"}, {"Host": f"evil.example:{port}"}, {"Origin": "null"}):
            for path in ("/try", "/send"):
                async with client.post(f"{server.url}{path}", data=sound, headers=strange) as answer:
                    assert answer.status == 403, strange
        async with client.get(server.url) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy and "unsafe" not in policy
            text = await answer.text()
            assert "<style" not in text and " style=" not in text and text.count("<script") == 1
        async with client.get(f"{server.url}/clips/1.wav") as answer:
            assert answer.status == 404  # no sound was tried whose neighbour it is
    (folder,) = temporary.glob("labeltool-serve-*")
    assert list(folder.iterdir()) == []
    assert server.apps() == []


async def test_what_is_too_large_is_refused_before_and_while_it_arrives(server: PageServer, temporary: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range((MAX_BYTES >> 20) + 8):
            yield bytes(1 << 20)

    async with browser(server) as client:
        async with client.post(f"{server.url}/try", data=endless()) as answer:
            assert answer.status == 413
            assert "MiB" in (await answer.json())["reason"]
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        (cookie,) = client.cookie_jar
        writer.write(
            f"POST /send HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie.key}={cookie.value}\r\n"
            f"Content-Length: {MAX_BYTES + 1}\r\n\r\n".encode()
        )
        assert b" 413 " in await reader.readline()
        writer.close()
    (folder,) = temporary.glob("labeltool-serve-*")
    await asyncio.to_thread(until, lambda: not list(folder.iterdir()), "the sound to be deleted")


async def test_no_more_sounds_are_taken_than_the_disk_is_to_hold(
    server: PageServer, sound: bytes, temporary: Path
) -> None:
    (folder,) = temporary.glob("labeltool-serve-*")
    port = int(server.url.rpartition(":")[2])

    def arriving(count: int) -> None:
        until(lambda: len(list(folder.iterdir())) == count, f"{count} sounds")

    async with browser(server) as client:
        (cookie,) = client.cookie_jar
        head = (
            f"POST /try HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie.key}={cookie.value}\r\nContent-Length: 9\r\n\r\n"
        )
        slow = []
        for _ in range(16):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head.encode())
            slow.append(writer)
        await asyncio.to_thread(arriving, 16)
        async with client.post(f"{server.url}/try", data=sound) as answer:
            assert answer.status == 503
            assert (await answer.json())["reason"] == "16 sounds are waiting already; try again in a minute"
        slow.pop().close()
        await asyncio.to_thread(arriving, 15)
        assert (await answers(client, f"{server.url}/try", sound))[-1]["state"] == "done"
        for writer in slow:
            writer.close()
        await asyncio.to_thread(arriving, 0)


async def test_a_sound_is_tried_and_sent_without_tensorflow_in_the_servers_process(
    server: PageServer, sound: bytes, labelled: Project
) -> None:
    async with browser(server) as client:
        *stages, done = await answers(client, f"{server.url}/try?name=a.wav", sound)
        assert {line["state"] for line in stages} <= {"waiting", "working"}
        assert done["state"] == "done"
        shown = [one["clip"] for one in done["result"]["neighbours"]]
        async with client.get(f"{server.url}/clips/{shown[0]}.wav") as answer:
            assert (answer.status, answer.content_type) == (200, "audio/wav")
        with labelled.open_store() as store:
            Path(clips.clip(store, shown[1]).path).unlink()
        async with client.get(f"{server.url}/clips/{shown[1]}.wav") as answer:
            assert (answer.status, await answer.text()) == (404, "the clip cannot be played")
        states = [(await answers(client, f"{server.url}/send", sound))[-1]["result"]["state"] for _ in range(2)]
        assert states == ["new", "known"]
    assert "tensorflow" not in Path(f"/proc/{server.process.pid}/maps").read_text()
    assert len(list((labelled.directory / "received").iterdir())) == 1


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
async def test_the_end_of_the_server_ends_what_it_started(
    server: PageServer, sound: bytes, temporary: Path, ending: signal.Signals
) -> None:
    async with browser(server) as client:
        trying = asyncio.create_task(answers(client, f"{server.url}/try", sound))
        await asyncio.to_thread(until, lambda: [*map(children, server.apps())], "a process that computes")
        started = [*server.apps(), *(child for one in server.apps() for child in children(one))]
        ended = await asyncio.to_thread(server.end, ending)
        assert ended == (-ending if ending == signal.SIGKILL else 0, "", "")
        await asyncio.gather(trying, return_exceptions=True)
    await asyncio.to_thread(until, lambda: not any(map(alive, started)), "the end of what it started")
    if ending != signal.SIGKILL:
        assert list(temporary.glob("labeltool-serve-*")) == []


async def test_a_page_that_is_closed_ends_its_work_and_lets_the_next_one_in(server: PageServer, sound: bytes) -> None:
    async with browser(server) as client:
        async with browser(server) as gone:
            trying = asyncio.create_task(answers(gone, f"{server.url}/try", sound))
            await asyncio.to_thread(until, server.apps, "a process that computes")
            started = server.apps()
            trying.cancel()
            await asyncio.gather(trying, return_exceptions=True)
        await asyncio.to_thread(until, lambda: not any(map(alive, started)), "its end")
        assert (await answers(client, f"{server.url}/try", sound))[-1]["state"] == "done"


async def test_who_comes_second_waits_and_the_page_goes_on_meanwhile(server: PageServer, sound: bytes) -> None:
    async with browser(server) as client:
        first = asyncio.create_task(answers(client, f"{server.url}/try", sound))
        await asyncio.to_thread(until, server.apps, "a process that computes")
        (working,) = server.apps()
        os.kill(working, signal.SIGSTOP)
        async with client.post(f"{server.url}/try", data=sound) as second:
            assert json.loads(await second.content.readline()) == {"state": "waiting", "before": 1}
            async with client.get(server.url) as answer:
                assert answer.status == 200
            assert server.apps() == [working]
            os.kill(working, signal.SIGCONT)
            assert json.loads((await second.text()).splitlines()[-1])["state"] == "done"
        assert (await first)[-1]["state"] == "done"


async def test_outside_a_project_a_models_file_classifies_and_nothing_is_stored(
    level_project: Project, sound: bytes, tmp_path: Path, temporary: Path
) -> None:
    model = next((level_project.models / "pretrained" / "pretrained").glob("*.tflite"))
    folder = tmp_path / "empty"
    folder.mkdir()
    with closing(PageServer(None, "--model", str(model), folder=folder, TMPDIR=str(temporary))) as server:
        async with browser(server) as client:
            done = (await answers(client, f"{server.url}/try", sound))[-1]
            assert done["result"]["scores"][0]["label"] == "Above, high"
            assert done["result"]["neighbours"] is None
            async with client.post(f"{server.url}/send", data=sound) as answer:
                assert answer.status == 404
            async with client.get(server.url) as answer:
                assert "queue" not in await answer.text()
    assert list(folder.iterdir()) == []


async def test_clips_that_were_not_compared_are_compared_in_the_background_and_speech_is_written_down(
    level_project: Project, sound: bytes, tmp_path: Path, temporary: Path
) -> None:
    with level_project.open_store() as store:
        label_clips(store, range(8))
    whisper = write_whisper(tmp_path / "whisper", language="de")
    speech = ("--speech-model", str(whisper), "--no-vad")
    with closing(PageServer(level_project, "--model", "pretrained", *speech, TMPDIR=str(temporary))) as server:
        await asyncio.to_thread(server.until_line, "the project's clips are compared")
        async with browser(server) as client:
            result = (await answers(client, f"{server.url}/try", sound))[-1]["result"]
            assert result["neighbours"][0]["labels"] == ["above"]
            assert [one["text"] for one in result["segments"]] == [text for _, text, _ in SENTENCES]
            assert result["failed"] == []
            async with client.get(server.url) as answer:
                assert "Transcript" in await answer.text()
            shutil.rmtree(whisper)
            with level_project.open_store() as store:
                source = search.feature_source(level_project, store)
            shutil.rmtree(source.folder(level_project))  # as after a training: there is none by the new model
            failed = (await answers(client, f"{server.url}/try", sound))[-1]["result"]["failed"]
            assert [reason.partition(":")[0] for reason in failed] == ["transcript", "similar clips"]
            assert "whisper" in failed[0] and str(tmp_path) not in "".join(failed)
            await asyncio.to_thread(server.until_line, "the project's clips are compared")
            assert (await answers(client, f"{server.url}/try", sound))[-1]["result"]["neighbours"]


async def test_a_job_that_starts_while_the_server_ends_is_no_error() -> None:
    starting = asyncio.get_running_loop().create_future()
    starting.cancel()
    page._stop(starting)


def test_what_cannot_be_served_is_one_line(project: Project, tmp_path: Path) -> None:
    def refused(*arguments: str, **environment: str) -> str:
        done = labeltool(project, "serve", *arguments, check=1, **environment)
        assert done.stdout == "" and len(done.stderr.splitlines()) == 1, done.stderr
        return done.stderr

    assert "model" in refused()
    assert "no file or pretrained model 'nothing'" in refused("--model", "nothing")
    (tmp_path / "aiohttp.py").write_text("raise ModuleNotFoundError(name='aiohttp')")
    assert "labeltool[serve]" in refused(PYTHONPATH=str(tmp_path))
