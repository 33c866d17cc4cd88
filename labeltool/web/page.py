"""The page to try a model: `labeltool serve`.

Nothing is computed in the server's process: each sound is a task of a child process, which ends when its page is closed
or the server ends. A sound lies in a temporary folder while it is worked on, and is deleted then; the page sends it
once more where it is to become a recording of the project.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import jinja2
import msgspec
import soundfile
from aiohttp import web

from labeltool.audio import files as audio_files
from labeltool.errors import LabeltoolError, in_one_line
from labeltool.project import Project
from labeltool.similarity import search
from labeltool.store import clips
from labeltool.tasks.executor import Job, default_executor
from labeltool.tasks.registry import RECEIVE, SIMILAR, TRY, Task
from labeltool.web.gate import Gate, is_loopback
from labeltool.web.serving import listen, until_signalled
from labeltool.web.try_sound import TryOptions
from labeltool.web.turns import Turns

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; media-src 'self' blob:; "
    "img-src data:; worker-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_FILES = {
    "page.css": "text/css",
    "page.js": "text/javascript",
    "results.js": "text/javascript",
    "recorder.js": "text/javascript",
    "recorder_worklet.js": "text/javascript",
}
MAX_BYTES = 128 << 20
"""Of a sound that is sent: ten minutes of uncompressed stereo."""
_UPLOAD_S = 300.0
_MAX_SOUNDS = 16  # that arrive, wait or are worked on; each may fill `MAX_BYTES` of the disk
_MAX_NAME = 120
_MAX_CLIP_S = 60.0
_NICENESS = 10

R = TypeVar("R")


def serve_page(
    project: Project | None, options: TryOptions, *, host: str, port: int | None, narrate: Callable[[str], None]
) -> None:
    """Serve the page until a signal ends it.

    Parameters
    ----------
    project
        None: sounds are classified, and nothing else.

    Raises
    ------
    LabeltoolError
        When the port is in use.
    """
    with listen(host, port) as server_socket, tempfile.TemporaryDirectory(prefix="labeltool-serve-") as folder:
        directory = project.directory if project else Path.cwd()
        gate = Gate("labeltool serve", directory, host, server_socket.getsockname()[1], _POLICY)
        narrate(f"the page is at {gate.address} for browsers; Ctrl-C ends it")
        who = "who has this address can try the model"
        if project:
            who += ", play labelled clips and send recordings"
        narrate(who if is_loopback(host) else f"{who}; it and the sound go over the network unencrypted")
        page = _Page(project, options, Path(folder).resolve(), narrate)
        app = page.application()
        gate.guard(app)
        asyncio.run(until_signalled(app, server_socket, ends_with_client=True))


class _Page:
    """What the server does for the page."""

    def __init__(
        self, project: Project | None, options: TryOptions, folder: Path, narrate: Callable[[str], None]
    ) -> None:
        self._project, self._options, self._folder, self._narrate = project, options, folder, narrate
        self._turns = Turns()
        # Clips that a visitor may play: those that were named as neighbours.
        self._shown: set[int] = set()
        self._comparing: asyncio.Task[None] | None = None
        # What could not be compared is not tried again until there is more, or another model.
        self._left: tuple[Path, int] | None = None
        read = resources.files("labeltool.web").joinpath
        self._files = {name: read(name).read_bytes() for name in _FILES}
        environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
        self._html = environment.from_string(read("page.html").read_text(encoding="utf-8")).render(
            project=in_one_line(project.directory.name) if project else None,
            model=in_one_line(Path(options.model).name) if options.model else None,
            speech=options.speech_model is not None,
            max_s=options.max_s,
            max_bytes=MAX_BYTES,
        )

    def application(self) -> web.Application:
        """Return the web application."""
        app = web.Application()
        routes = [
            web.get("/", self._show_page),
            web.get("/clips/{clip}.wav", self._clip),
            web.post("/try", self._try),
            *(web.get(f"/{name}", self._show_file) for name in _FILES),
        ]
        if self._project is not None:
            routes.append(web.post("/send", self._send))
            app.on_startup.append(self._when_started)
            app.on_cleanup.append(self._stop_comparing)
        app.add_routes(routes)
        return app

    async def _show_page(self, _: web.Request) -> web.Response:
        return web.Response(text=self._html, content_type="text/html", headers={"Cache-Control": "no-store"})

    async def _show_file(self, request: web.Request) -> web.Response:
        name = request.path[1:]
        headers = {"Cache-Control": "no-cache"}
        return web.Response(body=self._files[name], content_type=_FILES[name], charset="utf-8", headers=headers)

    async def _try(self, request: web.Request) -> web.StreamResponse:
        """Take a sound, and send what is found in it."""

        def shown(found: Any) -> None:
            self._shown.update(one.clip for one in found.neighbours or ())
            self._start_comparing()

        async with self._upload(request) as (file, name):
            return await self._work(
                request, TRY, shown, file, name, options={**asdict(self._options), "folder": str(file.parent)}
            )

    async def _send(self, request: web.Request) -> web.StreamResponse:
        """Take a sound into the project."""

        def received(found: Any) -> None:
            if found.state not in ("labelled", "excluded"):
                self._narrate(f"clip {found.clip} is next in the queue: {found.file}")

        async with self._upload(request) as (file, name):
            return await self._work(request, RECEIVE, received, file, name, name=name, max_s=self._options.max_s)

    @asynccontextmanager
    async def _upload(self, request: web.Request) -> AsyncIterator[tuple[Path, str]]:
        """Keep the request's body in a file, in a folder of its own, as long as the context is open.

        Yields
        ------
        The file, and the name that the visitor's browser gives.
        """
        if (request.content_length or 0) > MAX_BYTES:
            raise _refusal(web.HTTPRequestEntityTooLarge, _too_large())
        if len(list(self._folder.iterdir())) >= _MAX_SOUNDS:
            reason = f"{_MAX_SOUNDS} sounds are waiting already; try again in a minute"
            raise _refusal(web.HTTPServiceUnavailable, reason)
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            file = Path(folder, "sound")
            try:
                async with asyncio.timeout(_UPLOAD_S):
                    size = 0
                    with file.open("xb") as out:
                        async for piece in request.content.iter_chunked(1 << 18):
                            size += out.write(piece)
                            if size > MAX_BYTES:
                                raise _refusal(web.HTTPRequestEntityTooLarge, _too_large())
            except TimeoutError:
                raise _refusal(web.HTTPRequestTimeout, "the sound did not arrive in time") from None
            yield file, in_one_line(request.query.get("name", "")[:_MAX_NAME])

    async def _work(
        self, request: web.Request, task: Task[R], done: Callable[[R], None], file: Path, called: str, **options: Any
    ) -> web.StreamResponse:
        """Do a task when it is its turn; answer by one JSON object a line: where it is, then what it has found."""
        answer = web.StreamResponse(headers={"Content-Type": "application/x-ndjson", "Cache-Control": "no-store"})
        await answer.prepare(request)

        async def send(**line: Any) -> None:
            await answer.write(json.dumps(line).encode() + b"\n")

        async def wait(before: int) -> None:
            await send(state="waiting", before=before)

        try:
            async with self._turns.turn(wait):
                stages: asyncio.Queue[str] = asyncio.Queue()
                running = asyncio.create_task(self._run(task, stages.put_nowait, file=str(file), **options))
                try:
                    await _send_stages(stages, running, send)
                    found = await running
                finally:
                    running.cancel()
                    await asyncio.wait([running])
            done(found)
            result = msgspec.to_builtins(found)
            if "failed" in result:
                result["failed"] = [self._for_visitors(reason, file, called) for reason in result["failed"]]
            await send(state="done", result=result)
        except LabeltoolError as error:
            await send(state="failed", reason=self._for_visitors(str(error), file, called))
        await answer.write_eof()
        return answer

    def _for_visitors(self, reason: str, file: Path, called: str) -> str:
        """Return a reason without the folders of this machine."""
        reason = reason.replace(str(file), called or "the sound")
        named = [one for one in (self._options.model, self._options.speech_model) if one and Path(one).is_absolute()]
        folders = [file.parent, *(Path(one).parent for one in named)]
        if self._project is not None:
            folders.append(self._project.directory)
        for folder in sorted(folders, key=lambda one: -len(one.parts)):
            if folder.name:
                reason = reason.replace(f"{folder}{os.sep}", "").replace(str(folder), folder.name)
        return reason.replace(str(Path.home()), "~")

    async def _run(self, task: Task[R], stage: Callable[[str], None], *, niceness: int = 0, **options: Any) -> R:
        """Do a task in a child process, which ends when this is cancelled."""
        loop = asyncio.get_running_loop()

        def report(name: str, _: int, __: int, ___: str = "", /) -> None:
            with suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(stage, name)

        starting = asyncio.ensure_future(
            asyncio.to_thread(partial(default_executor().start, self._project, task, niceness=niceness, **options))
        )
        try:
            job = await asyncio.shield(starting)
            return await asyncio.to_thread(job.wait, report)
        finally:
            starting.add_done_callback(_stop)

    async def _clip(self, request: web.Request) -> web.Response:
        """Return the sound of a clip that was named as a neighbour."""
        text = request.match_info["clip"]
        clip_id = clips.id_of(text)
        if self._project is None or clip_id not in self._shown:
            raise web.HTTPNotFound(text="no such clip")
        try:
            sound = await asyncio.to_thread(_wav_of_clip, self._project, clip_id)
        except LabeltoolError as error:
            self._narrate(f"clip {clip_id} cannot be played: {error}")
            raise web.HTTPNotFound(text="the clip cannot be played") from error
        return web.Response(body=sound, content_type="audio/wav", headers={"Cache-Control": "private, max-age=600"})

    async def _when_started(self, _: web.Application) -> None:
        self._start_comparing()

    def _start_comparing(self) -> None:
        """Complete the index of similar clips in the background, unless that is done already."""
        if self._project is not None and (self._comparing is None or self._comparing.done()):
            self._comparing = asyncio.create_task(self._compare(self._project))

    async def _stop_comparing(self, _: web.Application) -> None:
        if self._comparing is not None:
            self._comparing.cancel()
            await asyncio.wait([self._comparing])

    async def _compare(self, project: Project) -> None:
        """Add the clips to the index that it lacks: after a training all, by the new model."""
        try:
            index, lacks = await asyncio.to_thread(_unindexed, project)
            if not lacks or (index, lacks) == self._left:
                return
            self._left = index, lacks
            self._narrate("similar clips are shown once the project's clips are compared: that has begun")
            await self._run(SIMILAR, lambda _: None, niceness=_NICENESS)
            self._left = await asyncio.to_thread(_unindexed, project)
            self._narrate("the project's clips are compared")
        except LabeltoolError as error:
            self._narrate(f"similar clips: {error}")


async def _send_stages(stages: asyncio.Queue[str], running: asyncio.Task[Any], send: Callable[..., Any]) -> None:
    """Tell the stages of a task until it has ended."""
    while True:
        stage = asyncio.create_task(stages.get())
        await asyncio.wait([stage, running], return_when=asyncio.FIRST_COMPLETED)
        if not stage.done():
            stage.cancel()
            return
        await send(state="working", stage=stage.result())


def _stop(starting: asyncio.Future[Job[Any]]) -> None:
    """End a job, in a thread: that may take a second."""
    if starting.cancelled():
        return  # the server ends, and with it what it has started
    if starting.exception() is None:
        asyncio.get_running_loop().run_in_executor(None, starting.result().stop)


def _refusal(kind: type[web.HTTPError], reason: str) -> web.HTTPError:
    text = json.dumps({"reason": reason})
    if issubclass(kind, web.HTTPRequestEntityTooLarge):
        return kind(MAX_BYTES, text=text, content_type="application/json")
    return kind(text=text, content_type="application/json")


def _too_large() -> str:
    return f"is larger than the {MAX_BYTES >> 20} MiB that this page takes"


def _wav_of_clip(project: Project, clip_id: int) -> bytes:
    with project.open_store() as store:
        clip = clips.clip(store, clip_id)
    samples, rate = audio_files.read_mono(clip.path, clip.start_s, min(clip.end_s, clip.start_s + _MAX_CLIP_S))
    sound = io.BytesIO()
    soundfile.write(sound, samples, rate, subtype="PCM_16", format="WAV")
    return sound.getvalue()


def _unindexed(project: Project) -> tuple[Path, int]:
    """Return the folder of the index of similar clips, and how many clips are not in it."""
    with project.open_store() as store:
        source = search.feature_source(project, store)
        return source.folder(project), search.count_unindexed(project, store, source)
