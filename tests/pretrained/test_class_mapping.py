"""Classes mapped to labels: by name, by annotations, and by hand."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

from labeltool.errors import LabeltoolError
from labeltool.pretrained import class_mapping, class_names

# AudioSet's: commas separate names of one sound, brackets name the thing that it is a kind of.
CLASSES = (
    "Baby cry, infant cry",
    "Dog",
    "Bark",
    "Whimper (dog)",
    "Chicken, rooster",
    "Crow",
    "Clock",
    "Tick",
    "Rain",
    "Rain on surface",
    "Waves, surf",
    "Fire",
    "Fire alarm",
    "Fire engine, fire truck (siren)",
    "Crackle",
    "Air conditioning",
    "Gunshot, gunfire",
    "Sneeze",
)


@pytest.mark.parametrize(
    ("label", "wanted"),
    [
        ("dog", {"Dog", "Whimper (dog)"}),
        ("DOGS", {"Dog", "Whimper (dog)"}),
        ("dog_bark", {"Dog", "Bark"}),
        ("crying_baby", {"Baby cry, infant cry"}),
        ("clock tick", {"Clock", "Tick"}),
        ("rain", {"Rain", "Rain on surface"}),
        ("sea_waves", {"Waves, surf"}),
        # A fire alarm is no fire, whatever it is called.
        ("fire", {"Fire"}),
        ("crackling-fire", {"Fire", "Crackle"}),
        ("fire alarm", {"Fire alarm"}),
        ("siren", {"Fire engine, fire truck (siren)"}),
        ("rooster", {"Chicken, rooster"}),
        ("air_conditioner", {"Air conditioning"}),
        ("gunShot", {"Gunshot, gunfire"}),
        ("sneezing", {"Sneeze"}),
        ("cow", set()),
        ("Türklingel", set()),
        ("[/]", set()),
    ],
)
def test_a_name_finds_its_classes(label: str, wanted: set[str]) -> None:
    assert {CLASSES[place] for place in class_names.classes_by_name(CLASSES, label)} == wanted


def present_in(kinds: list[int], labels: int) -> np.ndarray:
    return np.eye(labels)[kinds] > 0


def test_annotations_find_classes_that_no_name_does_and_broad_ones_are_ignored(tmp_path: Path) -> None:
    classes = ("Animal", "Meow", "Ocean", "Rare")
    scores = np.zeros((12, 4), np.float32)
    scores[:, 0] = 0.9  # detected everywhere
    scores[:6, 1] = 0.4
    scores[6:, 2] = 0.3
    scores[11, 3] = 0.9  # once is chance
    present = present_in([0] * 6 + [1] * 6, 2)
    found = class_mapping.map_labels(tmp_path, classes, ("Mieze", "Brandung"), scores=scores, present=present)
    assert [(one.classes, one.reason) for one in found] == [((1,), "by answers"), ((2,), "by answers")]
    # Two clips are too few.
    few = class_mapping.map_labels(tmp_path, classes, ("Mieze", "Brandung"), scores=scores[4:8], present=present[4:8])
    assert [one.reason for one in few] == ["none", "none"]


def test_a_name_is_given_up_only_where_annotations_contradict_it(tmp_path: Path) -> None:
    classes = ("Crane", "Bird", "Engine")
    present = present_in([0] * 5 + [1] * 5, 2)
    scores = np.zeros((10, 3), np.float32)
    scores[:5, 1] = scores[5:, 2] = 0.5
    # The project's cranes are birds, the model's are not.
    found = class_mapping.map_labels(tmp_path, classes, ("crane", "engine"), scores=scores, present=present)
    assert [(one.classes, one.reason) for one in found] == [((1,), "by answers"), ((2,), "by name")]
    scores[:5, 0] = 0.5
    found = class_mapping.map_labels(tmp_path, classes, ("crane", "engine"), scores=scores, present=present)
    assert found[0] == class_mapping.LabelMapping("crane", (0,), "by name")


def test_what_a_person_wrote_stays_and_new_labels_are_added_behind_it(tmp_path: Path) -> None:
    file = tmp_path / class_mapping.MAPPING_FILE
    strange = 'a"[/]\\\x7f\n= 1'
    written = '# mine\n"dog" = ["bark"]   # howls are cats\nrain = []\n'
    file.write_text(written)
    labels = ("dog", "rain", "sneezing", strange)
    found = class_mapping.map_labels(tmp_path, CLASSES, labels)
    assert [one.reason for one in found] == ["by hand", "by hand", "by name", "none"]
    assert [CLASSES[place] for place in found[0].classes] == ["Bark"] and not found[1].classes
    assert class_mapping.add_to_mapping(
        tmp_path, CLASSES, [*found[:3], class_mapping.LabelMapping(strange, (0, 1), "by answers")]
    )
    assert file.read_text().startswith(written)
    assert tomllib.loads(file.read_text())[strange] == list(CLASSES[:2])
    assert class_mapping.map_labels(tmp_path, CLASSES, labels)[2:] == [
        class_mapping.LabelMapping("sneezing", (17,), "by hand"),
        class_mapping.LabelMapping(strange, (0, 1), "by hand"),
    ]
    before = file.read_bytes()
    assert not class_mapping.add_to_mapping(tmp_path, CLASSES, class_mapping.map_labels(tmp_path, CLASSES, labels))
    assert file.read_bytes() == before


def test_one_label_gets_other_classes_and_nothing_else_in_the_file_is_touched(tmp_path: Path) -> None:
    file = tmp_path / class_mapping.MAPPING_FILE
    file.write_text(
        "# mine\n"
        "\n"
        "'cat' = \"Dog\" # sic\n"
        "dog = [  # howls too\n"
        "    'Bark',  # \"# no\" comment\n"
        "    # and more to come\n"
        "]\n"
        '"a # b" = ["Tick"]  # odd, = "]"\n'
        "rain = []\n"
    )
    class_mapping.set_mapping(tmp_path, CLASSES, "a # b", [0, 1])
    class_mapping.set_mapping(tmp_path, CLASSES, "dog", [1])
    class_mapping.set_mapping(tmp_path, CLASSES, "cat", [])
    class_mapping.set_mapping(tmp_path, CLASSES, 'new "one"', [2])
    assert file.read_text() == (
        "# mine\n"
        "\n"
        "'cat' = [] # sic\n"
        "dog = [  # howls too\n"
        "    # and more to come\n"
        f'    "{CLASSES[1]}"\n'
        "]\n"
        f'"a # b" = ["{CLASSES[0]}", "{CLASSES[1]}"]  # odd, = "]"\n'
        "rain = []\n"
        f'"new \\"one\\"" = ["{CLASSES[2]}"]\n'
    )
    assert class_mapping.read_mapping(tmp_path, CLASSES)["dog"] == (1,)
    file.write_text("dog = [")
    with pytest.raises(LabeltoolError, match="cannot be read"):
        class_mapping.set_mapping(tmp_path, CLASSES, "dog", [1])
    assert file.read_text() == "dog = ["


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('dog = ["Barc"]', "there is no class 'Barc'.*did you mean 'Bark'"),
        ("dog = [1]", "'dog' needs a list of classes"),
        ("dog = [", "cannot be read as a mapping"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / class_mapping.MAPPING_FILE).write_text(text)
    with pytest.raises(LabeltoolError, match=rf"mapping\.toml: {reason}"):
        class_mapping.map_labels(tmp_path, CLASSES, ("dog",))


def test_of_several_classes_the_largest_counts() -> None:
    scores = np.array([[0.2, 0.5, 0.4]], np.float32)
    found = [
        class_mapping.LabelMapping("a", (0, 1), "by name"),
        class_mapping.LabelMapping("b", (2,), "by name"),
        class_mapping.LabelMapping("c", (), "none"),
    ]
    np.testing.assert_allclose(class_mapping.label_scores(scores, found), [[0.5, 0.4, 0.0]])
