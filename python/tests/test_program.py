"""The program that comes with the wheel."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import sysconfig

import pytest

import abslrp

PROGRAM = pathlib.Path(sysconfig.get_path("scripts"), "abslrp")


def run(*arguments):
    return subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=120)


def test_it_writes_what_the_function_writes(digits, tmp_path):
    path, _ = digits
    done = run("compile", path, "--target", "argmax", "-o", tmp_path / "a.onnx", "--verify", "--no-fetch", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verification"]["holds"]
    written = abslrp.compile(path, tmp_path / "b.onnx", target="argmax")
    assert written.read_bytes() == (tmp_path / "a.onnx").read_bytes()


def test_it_says_who_it_is_and_what_is_wrong(tmp_path):
    version = run("--version")
    assert (version.returncode, version.stdout.split()[0]) == (0, "abslrp")
    as_module = subprocess.run([sys.executable, "-m", "abslrp", "--version"], capture_output=True, text=True)
    assert as_module.stdout == version.stdout
    assert "Usage: abslrp compile" in run("compile", "--help").stdout
    assert run("compile").returncode == 2
    failed = run("inspect", tmp_path / "nowhere.onnx")
    assert failed.returncode == 1 and failed.stderr.startswith("error: ") and "nowhere.onnx" in failed.stderr


def test_it_runs_itself_to_measure_a_process_of_its_own(digits):
    path, _ = digits
    done = run("bench", path, "--rounds", 1, "--no-fetch", "--json")
    assert done.returncode == 0, done.stderr
    variants = json.loads(done.stdout)["variants"]
    assert variants and all(variant["alone"] for variant in variants)


def test_the_wheel_has_licences_and_types():
    metadata = pytest.importorskip("importlib.metadata")
    files = {pathlib.PurePosixPath(str(file)).name for file in metadata.files("abslrp")}
    assert {"py.typed", "_abslrp.pyi", "LICENSE-APACHE", "LICENSE-MIT"} <= files
    assert metadata.version("abslrp") == run("--version").stdout.split()[1]
