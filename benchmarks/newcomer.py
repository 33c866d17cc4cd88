"""A newcomer labels a project with keys alone, in the real app: keys and time for each label, right suggestions.

    python benchmarks/newcomer.py ESC10 ESC20/audio --pretrained yamnet.tflite [--seed 0] [--clips 115] [--classes 13]

A project is made of clips with names that say nothing. The app runs in tmux; the newcomer reads the screen and knows
what each clip is: Enter where the first suggestion is right, the key of the label where it has one, the key of a
proposed new label where its name fits, else `/`, and letter by letter until a name that fits is among the first of the
palette: Down to it, and Enter. A name that the palette does not have is typed in full, once. At 0, 5, 10, 20 and 40
labels a copy of the project is opened and every clip that is left is skipped through: the share of first suggestions
that are right on all clips without a label. Classes and clips are drawn by the seed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import soundfile
from commands import labeltool

COLUMNS, ROWS, PANEL = 120, 40, 41
SOCKET = f"newcomer-{os.getpid()}"  # of tmux; another run has its own
DEADLINE_S = 60.0
POLL_S = 0.015
OPENED_S = 6.0  # in which a project that is opened anew reads its labels
CHECKPOINTS = (0, 5, 10, 20, 40)
FIRST_ANSWERS = 60
MAX_DOWN = 2  # further down in the palette nobody looks while typing
REFUSED_S = 2.0
REFUSALS = ("Enter again accepts it", "by now: again gives it", "the same key again at once")
NAMES = {
    "dog": ("Dog", "Bark", "Bow-wow", "Yip", "Canidae, dogs, wolves"),
    "rooster": ("Chicken, rooster", "Crowing, cock-a-doodle-doo"),
    "rain": ("Rain", "Raindrop", "Rain on surface"),
    "sea_waves": ("Waves, surf", "Ocean"),
    "crackling_fire": ("Fire", "Crackle"),
    "crying_baby": ("Baby cry, infant cry", "Crying, sobbing"),
    "sneezing": ("Sneeze",),
    "clock_tick": ("Tick", "Tick-tock", "Clock"),
    "helicopter": ("Helicopter",),
    "chainsaw": ("Chainsaw",),
    "hand_saw": ("Sawing",),
    "door_wood_creaks": ("Creak", "Squeak"),
    "fireworks": ("Fireworks", "Firecracker"),
    "toilet_flush": ("Toilet flush",),
    "frog": ("Frog", "Croak"),
    "insects": ("Insect", "Fly, housefly", "Bee, wasp, etc.", "Buzz", "Mosquito"),
    "pig": ("Pig", "Oink"),
    "laughing": ("Laughter", "Giggle", "Belly laugh", "Chuckle, chortle", "Baby laughter", "Snicker"),
    "brushing_teeth": ("Toothbrush", "Electric toothbrush"),
    "vacuum_cleaner": ("Vacuum cleaner",),
    "coughing": ("Cough",),
    "chirping_birds": ("Bird", "Chirp, tweet", "Bird vocalization, bird call, bird song"),
    "airplane": ("Aircraft", "Fixed-wing aircraft, airplane", "Jet engine", "Aircraft engine", "Propeller, airscrew"),
    "crickets": ("Cricket",),
    "water_drops": ("Drip",),
    "car_horn": ("Vehicle horn, car horn, honking", "Toot"),
    "snoring": ("Snoring",),
    "drinking_sipping": (),
    "sheep": ("Sheep", "Bleat"),
    "clapping": ("Clapping", "Applause"),
}
"""Names of AudioSet's classes that a person takes for the sound, by ESC-50's name; known to the newcomer alone."""


@dataclass(frozen=True)
class Choice:
    """A label on the screen with its key."""

    key: str
    label: str
    percent: int | None
    new: bool
    first: bool


_CHOICE = re.compile(
    r"^\s*(?P<first>⏎?)(?P<key>\S)\s+(?:[✓✗?▌]\s+)*(?P<new>\+ )?(?P<label>\S.*?)(?:\s+(?P<percent>\d+)%.*)?\s*$"
)


_IN_BOX = re.compile(r"│(.*)│")


class App:
    """The app of a project in a tmux session."""

    def __init__(self, project: Path, name: str) -> None:
        self.name, self.keys = name, 0
        command = f"{sys.executable} -m labeltool --project {project} label 2>/dev/tty"
        self.tmux("new-session", "-d", "-s", name, "-x", str(COLUMNS), "-y", str(ROWS), command)

    def tmux(self, *arguments: str) -> str:
        return subprocess.run(["tmux", "-L", SOCKET, *arguments], check=True, capture_output=True, text=True).stdout

    def screen(self) -> list[str]:
        return [line.ljust(COLUMNS) for line in self.tmux("capture-pane", "-p", "-t", self.name).split("\n")]

    def press(self, *keys: str, literal: bool = False) -> None:
        """Press keys; a literal text counts a key for each letter."""
        self.tmux("send-keys", "-t", self.name, *(["-l"] if literal else []), *keys)
        self.keys += sum(len(key) for key in keys) if literal else len(keys)

    def file(self, lines: list[str] | None = None) -> str:
        """Return the file of the clip on the screen; "" where there is none."""
        found = re.search(r"clip_\d+\.wav", "\n".join(lines or self.screen()))
        return found.group() if found else ""

    def until_other(self, file: str, *, refused: bool = False) -> str | None:
        """Wait until another clip is on the screen, and return its file; "" where none is left.

        With `refused`, None where a notice says that the key was refused.
        """
        began = time.monotonic()
        while time.monotonic() < began + DEADLINE_S:
            lines = self.screen()
            found = self.file(lines)
            if found and found != file:
                return found
            if any("No unlabelled clips" in line for line in lines):
                return ""
            # The notice of a refusal before this one stays for some seconds.
            if refused and time.monotonic() > began + REFUSED_S and any(text in lines[-3] for text in REFUSALS):
                return None
            time.sleep(POLL_S)
        raise TimeoutError("\n".join(self.screen()))

    def names(self, typed: str, *, new: str | None = None) -> list[str]:
        """Return the names in the palette, the selected one first, once it shows what was typed, and a name, if given.

        The list is painted after the letter.
        """
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            lines = [match.group(1).strip() for line in self.screen() if (match := _IN_BOX.search(line))]
            if len(lines) > 2 and lines[0] == typed and lines[1] == "":
                names = [line.removeprefix("+ new label: ") for line in lines[2:] if line]
                if new is None or new in names:
                    return names
            time.sleep(POLL_S)
        raise TimeoutError("\n".join(self.screen()))

    def choices(self) -> list[Choice]:
        """Return the labels on the screen, in the order of the panel."""
        lines = [_CHOICE.match(line[-PANEL:]) for line in self.screen()]
        return [
            Choice(
                match["key"],
                match["label"],
                int(match["percent"]) if match["percent"] else None,
                match["new"] is not None,
                bool(match["first"]),
            )
            for match in lines
            if match is not None
        ]

    def close(self) -> None:
        self.press("q")
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            gone = subprocess.run(["tmux", "-L", SOCKET, "has-session", "-t", self.name], capture_output=True)
            if gone.returncode:
                return
            time.sleep(0.25)
        self.tmux("kill-session", "-t", self.name)


def first_of(choices: list[Choice]) -> Choice | None:
    """Return what Enter takes; None where nothing is suggested."""
    return next((choice for choice in choices if choice.first), None)


@dataclass
class Newcomer:
    """Knows the class of each file, and the label that was made for each class."""

    truth: dict[str, str]
    label_of: dict[str, str] = field(default_factory=dict)
    key_of: dict[str, str] = field(default_factory=dict)
    moved: int = 0

    def is_right(self, choice: Choice, category: str) -> bool:
        """Return whether a choice is the label of a class, or a name that fits where it has no label yet."""
        return self.fits(choice.label, category)

    def fits(self, shown: str, category: str) -> bool:
        """Return whether a name on the screen, which may be cut, fits a class."""
        own = self.label_of.get(category)
        names = (own,) if own is not None else (category, *NAMES[category])
        cut = shown.removesuffix("…")
        return any(name == shown or (cut != shown and name.startswith(cut)) for name in names)

    def watch_keys(self, choices: list[Choice]) -> None:
        """Count labels whose key is another than before."""
        for choice in choices:
            if choice.label in self.label_of.values():
                self.moved += self.key_of.setdefault(choice.label, choice.key) != choice.key

    def answer(self, app: App, file: str) -> str:
        """Label the clip on the screen with as few keys as can be; return how."""
        category, choices = self.truth[file], app.choices()
        self.watch_keys(choices)
        right = [choice for choice in choices if self.is_right(choice, category)]
        first = first_of(choices)
        chosen = first if first in right else right[0] if right else None
        if chosen is not None:
            names, cut = (category, *NAMES[category]), chosen.label.removesuffix("…")
            self.label_of.setdefault(category, next(name for name in (*names, cut) if name.startswith(cut)))
            app.press("Enter" if chosen is first else chosen.key)
            return "first" if chosen is first else "new key" if chosen.new else "key"
        return self.type(app, category)

    def type(self, app: App, category: str) -> str:
        """Open the palette, and type until a name that fits is among the first."""
        name = self.label_of.get(category, category)
        app.press("/")
        for length in range(1, len(name) + 1):
            app.press(name[length - 1], literal=True)
            names = app.names(name[:length], new=name if length == len(name) else None)
            fits = [place for place, one in enumerate(names) if self.fits(one, category)]
            if fits and fits[0] <= (MAX_DOWN if length < len(name) else len(names)):
                self.label_of.setdefault(category, names[fits[0]])
                app.press(*["Down"] * fits[0], "Enter")
                return "found" if length < len(name) else "typed"
        raise AssertionError(f"the palette has no {name}")


def right_at(project: Path, newcomer: Newcomer, number: int, scratch: Path) -> float:
    """Return the share of first suggestions that are right on all clips without a label, in a copy of the project."""
    copy = scratch / f"at_{number}"
    shutil.copytree(project, copy, symlinks=True)
    app = App(copy, f"at-{number}")
    seen: dict[str, bool] = {}
    try:
        file = app.until_other("")
        settle(app)
        time.sleep(OPENED_S)
        file = app.file() or file
        while file and file not in seen:
            first = first_of(app.choices())
            seen[file] = first is not None and newcomer.is_right(first, newcomer.truth[file])
            app.press("s")
            file = app.until_other(file)
            time.sleep(0.25)
    finally:
        app.close()
        shutil.rmtree(copy, ignore_errors=True)  # a process of the app may still write its last file
    return sum(seen.values()) / len(seen)


def answered(newcomer: Newcomer, app: App, file: str) -> tuple[str, str]:
    """Label the clip on the screen; return the next one's file, and how it was labelled.

    Enter is refused where the suggestion changed just before it: a person sees that and presses again.
    """
    before = app.keys
    for _ in range(5):
        kind = newcomer.answer(app, file)
        following = app.until_other(file, refused=True)
        if following is not None:
            keys, category = app.keys - before, newcomer.truth[file]
            print(f"{category}: {kind}, {keys} keys: {newcomer.label_of[category]}", file=sys.stderr)
            return following, kind
    raise TimeoutError("\n".join(app.screen()))


def settle(app: App) -> None:
    """Wait until the app suggests something, as long as a person might at the start."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and first_of(app.choices()) is None:
        time.sleep(0.2)


def make_project(arguments: argparse.Namespace, folder: Path) -> dict[str, str]:
    """Make a project of clips that are drawn by the seed; return the class of each file."""
    clips: dict[str, list[Path]] = defaultdict(list)
    for source in arguments.sources:
        audio = source / "audio" if (source / "audio").is_dir() else source
        meta = next(parent / "meta" / "esc50.csv" for parent in (source, source.parent) if (parent / "meta").is_dir())
        with meta.open() as rows:
            for row in csv.DictReader(rows):
                found = list(audio.glob(Path(row["filename"]).stem + ".*"))
                if found and row["category"] in NAMES:
                    clips[row["category"]].append(found[0])
    draw = random.Random(arguments.seed)
    classes = draw.sample(sorted(clips), arguments.classes)
    shuffled = {category: draw.sample(clips[category], len(clips[category])) for category in classes}
    # In turns, so that a class with few clips leaves its places to the others.
    turns = [(shuffled[name][turn], name) for turn in range(40) for name in classes if turn < len(shuffled[name])]
    drawn = turns[: arguments.clips]
    draw.shuffle(drawn)
    (folder / "audio").mkdir(parents=True)
    truth = {}
    for place, (file, category) in enumerate(drawn):
        samples, rate_hz = soundfile.read(file, dtype="int16")
        name = f"clip_{place:03d}.wav"
        soundfile.write(folder / "audio" / name, samples, rate_hz)
        truth[name] = category
    project = folder / "project"
    labeltool("init", project)
    labeltool("import", "audio", folder / "audio", project=project)
    if arguments.pretrained:
        labeltool("model", "add", arguments.pretrained, project=project)
    return truth


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", type=Path)
    parser.add_argument("--pretrained", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--clips", type=int, default=115)
    parser.add_argument("--classes", type=int, default=13)
    parser.add_argument("--think", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--checkpoints", type=int, nargs="*", default=CHECKPOINTS)
    arguments = parser.parse_args()
    os.environ.update(LABELTOOL_AUDIO="null", TERM="xterm-256color", COLORTERM="truecolor")
    with tempfile.TemporaryDirectory(prefix="newcomer-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        newcomer = Newcomer(make_project(arguments, folder))
        project, right, how = folder / "project", {}, []
        app, worked_s, keys_of_first = None, 0.0, 0
        answers = min(FIRST_ANSWERS, len(newcomer.truth))
        for number in range(answers + 1):
            if number in arguments.checkpoints:
                if app is not None:
                    app.close()
                    keys_of_first += app.keys - 1
                right[number] = right_at(project, newcomer, number, folder)
                print(f"{number} labels: {right[number]:.1%} right", file=sys.stderr)
                app = None
            if number == answers:
                break
            if app is None:
                app = App(project, f"run-{number}")
                file = app.until_other("") or ""
                settle(app)
            time.sleep(arguments.think)
            began = time.monotonic()
            file, kind = answered(newcomer, app, file)
            how.append(kind)
            worked_s += time.monotonic() - began
        keys_of_first += app.keys
        app.close()
        print(
            json.dumps(
                {
                    "clips": len(newcomer.truth),
                    "answers": answers,
                    "keys_an_answer": round(keys_of_first / answers, 2),
                    "clips_a_minute_without_thinking": round(answers / worked_s * 60, 1),
                    "first_suggestion_right": {number: round(share, 3) for number, share in right.items()},
                    "answers_by": {kind: how.count(kind) for kind in sorted(set(how))},
                    "keys_moved": newcomer.moved,
                }
            )
        )


if __name__ == "__main__":
    main()
