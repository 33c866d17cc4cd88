"""What only one system has stands in a few modules, each with what the others do; the lint that keeps it so."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("labeltool", "importers", "exporters", "tui")

POSIX_MODULES = {"fcntl", "resource", "termios", "tty", "pty", "pwd", "grp", "posix", "syslog", "readline", "curses"}
WINDOWS_MODULES = {"msvcrt", "winreg", "_winapi"}
POSIX_NAMES = {
    "os": {
        *("fork", "forkpty", "getuid", "geteuid", "getgid", "getegid", "getpgid", "getpgrp", "setpgid", "setsid"),
        *(
            "killpg",
            "nice",
            "wait",
            "wait4",
            "waitid",
            "mkfifo",
            "mknod",
            "chown",
            "fchown",
            "fchmod",
            "pread",
            "pwrite",
        ),
        *("statvfs", "ttyname", "uname", "sched_getaffinity", "link", "sync", "pipe2", "set_blocking", "openpty"),
        *("O_NOFOLLOW", "O_DIRECTORY", "O_PATH", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "ST_RDONLY", "ST_NOEXEC"),
    },
    "signal": {"SIGHUP", "SIGKILL", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGPIPE", "alarm", "setitimer"},
    "select": {"poll", "epoll", "POLLHUP"},
    "socket": {"AF_UNIX"},
    "errno": {"EDQUOT"},
}
POSIX_ARGUMENTS = {"dir_fd", "src_dir_fd", "dst_dir_fd", "preexec_fn", "start_new_session", "pass_fds"}
WRITES_TEXT = re.compile(r"(?=.*[wxa+])[rwxat+]{1,3}")
POSIX_PATHS = ("/proc", "/dev/", "/tmp", "/sys/")

# Each has what other systems do, or is not reached there; tests run with all of these names missing.
ALLOWED = {
    "labeltool/util/files/file_locks.py",
    "labeltool/util/files/folders.py",
    "labeltool/util/library_pages.py",  # of Linux alone
    "labeltool/util/lifetime.py",
    "labeltool/util/files/writable.py",  # a read-only disk is found by writing elsewhere
    "labeltool/tasks/worker.py",  # niceness
    "labeltool/pretrained/runtimes/__init__.py",  # the bound on memory, of Linux alone
    "labeltool/networks/build.py",  # whether the processor has AMX
    "tui/launch.py",  # the terminal behind standard input
    "tui/media/graphics.py",  # pictures in a terminal
    "tui/serve/app_process.py",  # the app in a browser, of POSIX alone
}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if not any(parent.is_symlink() for parent in path.parents):
                name = path.relative_to(ROOT).as_posix()
                yield name, ast.parse(path.read_text(encoding="utf-8"))


def of_one_system(tree: ast.Module) -> Iterator[str]:
    """Yield the uses of what only POSIX, or only Windows, has."""
    documented = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    imports = [one for node in ast.walk(tree) if isinstance(node, ast.Import) for one in node.names]
    modules = {name: name for name in POSIX_NAMES} | {one.asname: one.name for one in imports if one.asname}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in POSIX_NAMES:
            found = (one.name for one in node.names if one.name in POSIX_NAMES[node.module])
            yield from (f"{node.lineno}: {node.module}.{name}" for name in found)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
            yield from (f"{node.lineno}: {name}" for name in names if name in POSIX_MODULES | WINDOWS_MODULES)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.attr in POSIX_NAMES.get(modules.get(node.value.id, ""), ()):
                yield f"{node.lineno}: {node.value.id}.{node.attr}"
        elif isinstance(node, ast.keyword) and node.arg in POSIX_ARGUMENTS:
            yield f"{node.value.lineno}: {node.arg}="
        elif isinstance(node, ast.Constant) and id(node) not in documented and str(node.value).startswith(POSIX_PATHS):
            yield f"{node.lineno}: {node.value!r}"


def at_import(tree: ast.Module) -> Iterator[str]:
    """Yield the modules of one system that are imported where nothing catches that they are missing."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from of_one_system(ast.Module([node], []))


def text_as_the_system_has_it(tree: ast.Module) -> Iterator[str]:
    """Yield where text is written with the line ends of the system; ruff finds where the encoding is the system's."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name)):
            continue
        is_method = isinstance(node.func, ast.Attribute)
        function = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
        given = {one.arg: one.value for one in node.keywords}
        places = [
            *node.args[0 if is_method and function == "open" else 1 :],
            *([given["mode"]] if "mode" in given else []),
        ]
        modes = [one.value for one in places if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        opens = function in ("open", "fdopen") and any(WRITES_TEXT.fullmatch(mode) for mode in modes)
        writes = is_method and function == "write_text" and len(node.args) + len(node.keywords) < 4
        if (writes or opens) and "newline" not in given:
            yield f"{node.lineno}: {ast.unparse(node)[:60]}"


def test_what_only_one_system_has_stands_in_the_modules_that_know_the_others() -> None:
    found = {name: list(of_one_system(tree)) for name, tree in trees()}
    assert {name: uses for name, uses in found.items() if uses and name not in ALLOWED} == {}
    assert {name for name in ALLOWED if not found[name]} == set()  # the list is no longer than needed


def test_no_module_needs_one_system_to_be_imported() -> None:
    found = {name: list(at_import(tree)) for name, tree in trees()}
    assert {name: uses for name, uses in found.items() if uses} == {}


def test_text_files_have_the_same_bytes_on_every_system() -> None:
    found = {name: list(text_as_the_system_has_it(tree)) for name, tree in trees() if name not in ALLOWED}
    assert {name: uses for name, uses in found.items() if uses} == {}


@pytest.mark.parametrize(
    ("check", "code"),
    [
        (of_one_system, "import fcntl"),
        (of_one_system, "import os\nos.killpg(1, 2)"),
        (of_one_system, "from pathlib import Path\nPath('/proc/self')"),
        (of_one_system, "import os\nos.open('a', 0, dir_fd=3)"),
        (of_one_system, "import os as o\no.fork()"),
        (of_one_system, "from signal import SIGINT, SIGKILL"),
        (at_import, "from resource import getrlimit"),
        (at_import, "from os import fork, path"),
        (text_as_the_system_has_it, "path.write_text('a', encoding='utf-8')"),
        (text_as_the_system_has_it, "path.open('w', encoding='utf-8')"),
        (text_as_the_system_has_it, "path.open(mode='r+', encoding='utf-8')"),
        (text_as_the_system_has_it, "open(path, 'a', encoding='utf-8')"),
        (text_as_the_system_has_it, "os.fdopen(3, 'w', encoding='utf-8')"),
    ],
)
def test_the_lint_finds_it(check, code: str) -> None:
    assert len(list(check(ast.parse(code)))) == 1
