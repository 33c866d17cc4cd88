"""The package's C with every compiler, language standard and level of optimisation, and under static analysers."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import pytest

from helpers.stm32 import SMALL_MAGNITUDES, needs, small_package

COMPILERS = ("gcc", "g++", "clang", "clang++")
STANDARDS = ("c99", "c11", "gnu11", "gnu17", "c++17")
LEVELS = ("O0", "O1", "O2", "O3", "Os")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package with a small frontend and a network of every kind of layer."""
    needs("make", "gcc")
    return small_package(tmp_path_factory.mktemp("small"))


def make(package: Path, build: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS")}
    command = ["make", "-s", "-C", package / "test", f"BUILD={build}", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def builds(standards: Sequence[str], levels: Sequence[str]) -> set[tuple[str, str, str]]:
    """Return builds by each compiler with each standard and at each level; the dialects of GNU are optimised."""
    return {
        (compiler, standard, levels[(row + column) % len(levels)])
        for column, compiler in enumerate(("gcc", "clang"))
        for row, standard in enumerate(standards)
    }


@pytest.mark.parametrize(
    ("defines", "wanted"),
    [([], builds(STANDARDS, LEVELS)), (["DEFINES=-DAED_FIXED_POINT"], builds(("c99", "c++17"), ("O0", "O3")))],
    ids=["float", "fixed point"],
)
def test_builds_print_the_same_without_a_warning(
    small: Path, tmp_path: Path, defines: list[str], wanted: set[tuple[str, str, str]]
) -> None:
    needs(*COMPILERS)
    targets = [tmp_path / "builds" / f"{'-'.join(build)}.txt" for build in wanted]
    result = make(small, tmp_path, "-j2", *defines, *targets)
    assert result.returncode == 0 and not result.stderr, result.stdout + result.stderr
    assert same_as_the_host(result.stdout) == wanted
    printed = (tmp_path / "host" / "selftest.txt").read_text()
    assert len(set(re.findall(r"^\d\.\d+ .*$", printed, re.MULTILINE))) > 2  # the scores differ
    assert printed.endswith("# failed checks: 0\n")


def test_one_target_makes_every_build(small: Path, tmp_path: Path) -> None:
    needs(*COMPILERS)
    result = make(small, tmp_path, "--dry-run", "builds")
    assert result.returncode == 0
    announced = set(re.findall(r'echo "(\w+) -std=(\S+) -(\w+): the same', result.stdout))
    assert announced == set(product(("gcc", "clang"), STANDARDS, LEVELS))


def same_as_the_host(printed: str) -> set[tuple[str, ...]]:
    return set(re.findall(r"^(\w+) -std=(\S+) -(\w+): the same as the host$", printed, re.MULTILINE))


@pytest.mark.parametrize("machine", ["m3", "m0plus", "m4"])
@pytest.mark.parametrize("defines", ["", "-DAED_FIXED_POINT"], ids=["float", "fixed point"])
def test_devices_print_the_same_as_the_host(small: Path, machine: str, defines: str) -> None:
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    result = make(small, small / f"build{defines}", f"DEFINES={defines}", f"qemu-{machine}")  # one host build for all
    assert result.returncode == 0 and f"{machine}: the same as the host" in result.stdout, result.stdout


def test_roots_of_powers_are_the_same_on_the_devices(tmp_path: Path) -> None:
    needs("make", "gcc", "arm-none-eabi-gcc", "qemu-system-arm")
    package = small_package(tmp_path, SMALL_MAGNITUDES)
    for machine in ("m3", "m0plus", "m4"):
        result = make(package, tmp_path / "build", f"qemu-{machine}")
        assert result.returncode == 0 and f"{machine}: the same as the host" in result.stdout, result.stdout
    fixed = make(package, tmp_path / "fixed", "DEFINES=-DAED_FIXED_POINT", "host")
    assert fixed.returncode != 0 and "AED_FIXED_POINT is for powers of frames as long as the FFT" in fixed.stderr


@pytest.mark.parametrize("standard", ["c11", "gnu17"])
def test_a_compiler_that_fuses_operations_is_noticed_on_the_device(small: Path, tmp_path: Path, standard: str) -> None:
    needs("arm-none-eabi-gcc", "qemu-system-arm")
    exact = make(small, tmp_path / "exact", f"STANDARD={standard}", "qemu-m4")
    assert exact.returncode == 0 and "m4: the same as the host" in exact.stdout
    fused = make(small, tmp_path / "fused", f"STANDARD={standard}", "OPTIMISE=-O2 -ffp-contract=fast", "qemu-m4")
    assert fused.returncode != 0
    assert "FAILED: compiler options (see aed_math.h)" in (tmp_path / "fused" / "m4" / "selftest.txt").read_text()


def test_reordered_sums_are_noticed(small: Path, tmp_path: Path) -> None:
    result = make(small, tmp_path, "OPTIMISE=-O2 -funsafe-math-optimizations", "host")
    assert result.returncode != 0 and "FAILED: compiler options (see aed_math.h)" in result.stdout


def test_every_header_compiles_alone_as_c_and_as_cpp_with_c_linkage(small: Path, tmp_path: Path) -> None:
    needs("g++")
    headers = sorted((small / "c").glob("*.h"))
    assert len(headers) >= 9
    for header in headers:
        assert 'extern "C"' in header.read_text(), header.name
        for language, standard in (("c", "c99"), ("c++", "c++17")):
            source = tmp_path / f"alone.{language}"
            source.write_text(f'#include "{header.name}"\n#include "{header.name}"\nextern int unused;\n')
            command = ["gcc", "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
            built = subprocess.run(
                [*command, "-fsyntax-only", "-I", small / "c", source], capture_output=True, text=True, check=False
            )
            assert built.returncode == 0, built.stderr


def sources(package: Path) -> list[Path]:
    return sorted([*(package / "c").glob("*.c"), *(package / "test").glob("*.c")])


def test_cppcheck_finds_nothing(small: Path) -> None:
    needs("cppcheck")
    command = ["cppcheck", "-q", "--std=c99", "--enable=warning,style,performance,portability", "--error-exitcode=1"]
    paths = ["-I", small / "c", "-I", small / "test"]
    result = subprocess.run([*command, *paths, *sources(small)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_clang_tidy_finds_nothing(small: Path) -> None:
    needs("clang-tidy", "gcc")
    from importlib.resources import files

    shutil.copy(str(files("labeltool.exporters.stm32").joinpath("csrc", ".clang-tidy")), small)
    flags = ["-std=c99", "-I", small / "c", "-I", small / "test"]
    fixed_point = [*flags, "-DAED_FIXED_POINT"]
    others = [one for one in sources(small) if preprocessed(one, flags) != preprocessed(one, fixed_point)]
    assert small / "c" / "aed_preproc.c" in others
    for checked, defined in ((sources(small), flags), (others, fixed_point)):
        command = ["clang-tidy", "--quiet", *checked, "--", *defined]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr


def preprocessed(source: Path, flags: Sequence[str | Path]) -> bytes:
    return subprocess.run(["gcc", "-E", *flags, source], capture_output=True, check=True).stdout
