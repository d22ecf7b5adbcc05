"""The manual: every command and snippet runs, every link leads somewhere, and the reference of this package is as it is now."""

from __future__ import annotations

import ast
import csv
import inspect
import os
import pathlib
import re
import shutil
import subprocess
import sysconfig
import textwrap
import wave

import numpy as np
import onnx
import pytest

import abslrp
from conftest import FIXTURES

ROOT = FIXTURES.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "python/README.md", *sorted(DOCS.rglob("*.md"))]
# What is run elsewhere, or cannot be run here: the beginnings of such lines, and why.
ELSEWHERE = {
    "cargo run --release": "of the README, which builds what the wheel has already",
    "cargo test": "is `.ci/run`'s, too",
    "cargo install --locked abslrp": "needs a release",
    "abslrp page": "needs the package onnxruntime-web; web/test.mjs runs it",
}
# What a snippet may lack here: frameworks that the manual has recipes for.
FRAMEWORKS = {"torch", "transformers", "tensorflow", "tf2onnx", "sklearn", "skl2onnx"}
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks():
    """The page, number, language and text of each block that is a command, a snippet or a configuration."""
    for page in PAGES:
        for number, (language, text) in enumerate(FENCE.findall(page.read_text(encoding="utf-8"))):
            if language in ("sh", "python", "toml"):
                name = f"{page.relative_to(ROOT)}:{number}:{language}"
                yield pytest.param(page, language, text, id=name)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder for each page, with the files that the manual speaks of."""

    made = {}

    def folder(page):
        if page in made:
            return made[page]
        made[page] = place = tmp_path_factory.mktemp(page.stem)
        digits, cancer = np.load(FIXTURES / "digits.npz"), np.load(FIXTURES / "cancer.npz")
        model = onnx.load(FIXTURES / "digits.legacy17.onnx")
        model.graph.input[0].name = "image"
        for node in model.graph.node:
            node.input[:] = ["image" if name == "x" else name for name in node.input]
        onnx.save(model, place / "model.onnx")
        np.save(place / "image.npy", digits["in"][:1])
        np.savez(place / "data.npz", image=digits["in"], labels=digits["label"])
        shutil.copy(FIXTURES / "digits/3.png", place / "image.png")
        shutil.copy(FIXTURES / "embeddings/gather.onnx", place / "text.onnx")
        np.save(place / "ids.npy", np.array([[1, 0, 2, 1]]))
        for name, fixture in {"sentiment.onnx": "sentiment.onnx", "tagger.onnx": "tagger.onnx", "tokenizer.json": "bert.json"}.items():
            shutil.copy(FIXTURES / "texts" / fixture, place / name)
        shutil.copy(FIXTURES / "verification/detector.onnx", place / "detector.onnx")
        shutil.copy(FIXTURES / "audio.dynamo20.onnx", place / "sound.onnx")
        np.save(place / "sound.npy", np.load(FIXTURES / "audio.npz")["in"][:1])
        with wave.open(str(place / "sound.wav"), "wb") as file:
            file.setparams((1, 2, 8000, 200, "NONE", ""))
            file.writeframes((np.sin(np.arange(200) / 5) * 20000).astype("<i2").tobytes())
        shutil.copy(FIXTURES / "cancer.dynamo20.onnx", place / "table.onnx")
        with open(place / "table.csv", "w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow([*(f"feature{n}" for n in range(cancer["in"].shape[1])), "label"])
            for row, scores in zip(cancer["in"], cancer["out"]):
                rows.writerow([*row, scores.argmax()])
        return place

    return folder


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("page, language, text", list(blocks()))
def test_a_block_runs(page, language, text, folders, monkeypatch):
    folder = folders(page)
    monkeypatch.chdir(folder)
    if language == "sh":
        if os.name == "nt":
            pytest.skip("commands of a POSIX shell")
        scripts = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
        # pip finds that what it is to install is there, or fails.
        environment = {**os.environ, "PATH": scripts, "PIP_NO_INDEX": "1"}
        for line in text.splitlines():
            if not any(line.startswith(beginning) for beginning in ELSEWHERE):
                done = subprocess.run(["bash", "-ec", line], env=environment, capture_output=True, text=True, timeout=300)
                assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    elif language == "python":
        try:
            # As in a notebook where an image was loaded before.
            exec(compile(text, str(page), "exec"), {"image": np.load("image.npy")})
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] not in FRAMEWORKS:
                raise
            pytest.skip(str(error))
    else:
        tomllib = pytest.importorskip("tomllib")
        try:
            abslrp.inspect("model.onnx", composite=tomllib.loads(text))
        except abslrp.OptionError as error:
            # It is for another network.
            assert "fits no layer" in str(error)


def anchors(page):
    """What the headings of a page are called in links, as GitHub and mdBook do it."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$|`[^`]*`", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            # A link to the repository is one to a file in it.
            inside = re.match(r"https://github\.com/abslrp/abslrp/(?:blob|tree)/main/([^#]+)", link)
            assert not inside or (ROOT / inside.group(1)).exists(), link
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        # The site has no more than this folder.
        assert DOCS in [target, *target.parents] or DOCS not in page.parents, f"{link} leads out of the site"
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_in_the_table_of_contents():
    listed = set(re.findall(r"\]\(([^)]+)\)", (DOCS / "SUMMARY.md").read_text(encoding="utf-8")))
    assert listed == {str(page.relative_to(DOCS).as_posix()) for page in DOCS.rglob("*.md")} - {"SUMMARY.md"}


def markdown(docstring):
    """A docstring with its sections as lists."""
    lines, listing = [], False
    for line in inspect.cleandoc(docstring).splitlines():
        if re.fullmatch(r"(Args|Returns|Raises|Warns):", line):
            lines.append(f"**{line[:-1]}**\n")
            listing = True
        elif listing and (item := re.match(r"    (\**\w+): (.*)", line)):
            lines.append(f"- `{item.group(1)}`: {item.group(2)}")
        elif listing and line.startswith("        "):
            lines.append(f"  {line.strip()}")
        else:
            lines.append(line.strip() if listing else line)
    return "\n".join(lines)


def documented(cls):
    """The attributes of a class with the texts below them."""
    body = next(node for node in ast.walk(ast.parse(inspect.getsource(cls))) if isinstance(node, ast.ClassDef)).body
    for field, text in zip(body, body[1:]):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            yield ast.unparse(field.target), ast.unparse(field.annotation), " ".join(text.value.value.split())


def signature(thing):
    """How a function or class is called, as its source has it."""
    source = inspect.getsource(thing.__init__ if inspect.isclass(thing) else thing)
    function = ast.parse(textwrap.dedent(source)).body[0]
    arguments = ast.unparse(function.args).removeprefix("self, ")
    result = "" if inspect.isclass(thing) else f" -> {ast.unparse(function.returns)}"
    return f"abslrp.{thing.__name__}({arguments}){result}"


def reference():
    """The page of the reference."""
    page = [
        "# Python",
        "This page is made of the docstrings of the package `abslrp`, and a test says that it is as they are.",
        markdown(abslrp.__doc__),
        "## Functions and classes",
    ]
    for name in abslrp.__all__:
        thing = getattr(abslrp, name)
        if inspect.isclass(thing) and issubclass(thing, (Exception, dict)) or name == "Shown":
            continue
        page += [f"### {name}", f"```text\n{signature(thing)}\n```", markdown(thing.__doc__)]
        if inspect.isclass(thing):
            page += [f"`inputs`: {text}" for _, _, text in documented(thing)]
            page.append(markdown(thing.__call__.__doc__))
    page += ["## Options", markdown(abslrp.Options.__doc__)]
    page.append("\n".join(f"- `{name}`, `{kind}`: {text}" for name, kind, text in documented(abslrp.Options)))
    page.append("## What is given back")
    page += [f"`{cls.__name__}`: {markdown(cls.__doc__)}" for cls in (abslrp.Report, abslrp.Shown)]
    page += ["## Exceptions", markdown(abslrp.errors.__doc__)]
    for name in abslrp.errors.__all__:
        cls = getattr(abslrp, name)
        bases = ", ".join(base.__name__ for base in cls.__bases__)
        page.append(f"- `{name}` ({bases}): {markdown(cls.__doc__)}")
        page += [f"  `{field}`: {text}" for field, _, text in documented(cls)]
    return re.sub(r"\n{3,}", "\n\n", "\n\n".join(page)) + "\n"


def test_the_reference_is_current():
    """`UPDATE=1 .ci/wheel -k reference_is_current` writes it."""
    page = DOCS / "reference/python.md"
    if os.environ.get("UPDATE"):
        page.write_text(reference(), encoding="utf-8")
    assert page.read_text(encoding="utf-8") == reference(), "run UPDATE=1 .ci/wheel -k reference_is_current"
