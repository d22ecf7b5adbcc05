#!/usr/bin/env python3
"""Runs explained models on several ONNX runtimes: python runtimes/matrix.py [--short] [NAME...]

Every fixture is compiled, and source and explanation are run on each runtime. What the newest ONNX Runtime makes of
them is the reference (the tests prove that by finite differences and by other implementations): a source that runs
right elsewhere has to have an explanation that runs right there.

Which runtimes there are, at which versions, and what each is known not to run says `abslrp inspect --runtimes`; of each
explained model, `abslrp compile` says what applies to it. That is tried here both ways: a runtime refuses what is known,
and nothing else. They are installed into a cache folder (--cache), each in an environment of its own, from the indices that
pip and npm are configured for. --short runs what `.ci/run` does: the runtimes that have to be right, on
the networks and on forms of the newest operator set. Without names, all runtimes take part.

Exit status: 1 if an explanation is wrong anywhere, or, on a runtime that `.ci/run` takes, refused though nobody knows or
run though it is known not to be; 2 if something to install with is missing."""

import argparse, importlib.util, itertools, json, os, pathlib, re, select, shutil, subprocess, sys, tempfile, venv

HERE = pathlib.Path(__file__).resolve().parent
FIXTURES = HERE.parent / "fixtures"

# By package: what speaks for a runtime, and whether `.ci/run` takes it.
KINDS = {
    "onnxruntime": ("onnxruntime", True),
    "onnxruntime-web": ("node", True),
    "openvino": ("openvino", True),
    "tract": ("tract", False),
    "rten": ("rten", False),
}
REFERENCE = "onnxruntime-newest"
# Sources that a runtime may give anything for, from one run to the next: by runtime and fixture.
FAULTY = {
    # Reads beyond an axis of one element, and multiplies what it finds, a NaN at times, by 0.
    ("onnxruntime-oldest", "grid_sample_single.op16"),
}
# What else than pip installs what speaks for a runtime.
TOOLS = {"node": "npm", "rten": "cargo"}


def table(binary):
    """The runtimes as the program has them, by name, the newest of a package first."""
    said = subprocess.run([binary, "inspect", "--runtimes", "--json"], check=True, capture_output=True).stdout
    found = {}
    for runtime in json.loads(said):
        package, version = runtime["package"], runtime["version"]
        name = package if package != "onnxruntime" else f"{package}-{'oldest' if REFERENCE in found else 'newest'}"
        kind, must = KINDS[package]
        requirement = f"{package}{'@' if kind == 'node' else '=='}{version}"
        found[name] = {**runtime, "kind": kind, "must": must, "requirement": requirement}
    return found


def missing(what):
    print(f"error: {what}", file=sys.stderr)
    sys.exit(2)


def installed(name, packages, cache, kind="python"):
    """The folder that packages are in, installed if they are not yet."""
    # A folder for each version: it is never changed once it is complete.
    folder = cache / "-".join([name, *(re.sub(r"[^\w.]+", "-", package) for package in packages)])
    done = folder / "complete"
    if done.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    print(f"installing {' '.join(packages)} into {folder}", file=sys.stderr)
    try:
        if kind == "rten":
            if not shutil.which("cargo"):
                missing(f"{name} needs Rust, or name the other runtimes")
            command = ["cargo", "build", "-q", "--release", "--locked", "--manifest-path", HERE / "rten/Cargo.toml", "--target-dir", folder]
            subprocess.run(command, check=True, stdout=sys.stderr)
        elif kind == "node":
            if not (shutil.which("npm") and shutil.which("node")):
                missing(f"{name} needs Node.js: install node and npm, or name the other runtimes")
            folder.mkdir(parents=True)
            (folder / "package.json").write_text("{}")
            command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *packages]
            subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)
        else:
            venv.create(folder, with_pip=True)
            command = [folder / "bin/python", "-m", "pip", "install", "-q", *packages]
            subprocess.run(command, check=True, stdout=sys.stderr)
    except subprocess.CalledProcessError as error:
        missing(f"{name} could not be installed: {error}. It needs {TOOLS.get(kind, 'pip and venv')} and an index")
    done.touch()
    return folder


def worker(name, runtime, cache):
    """The command that starts the worker of a runtime."""
    kind, requirement = runtime["kind"], runtime["requirement"]
    folder = installed(name, [requirement] if kind in TOOLS else ["numpy", requirement], cache, kind)
    if kind == "node":
        return ["node", str(HERE / "worker.js"), str(folder / "node_modules/onnxruntime-web")]
    if kind == "rten":
        return [str(folder / "release/abslrp-runtimes-rten")]
    return [str(folder / "bin/python"), str(HERE / "worker.py"), kind]


class Runtime:
    """A worker process: a request and an answer are lines of JSON, tensors are files of raw elements."""

    def __init__(self, name, command):
        self.name, self.command, self.process = name, command, None
        self.version = self.ask(None).get("version", "unknown")

    def ask(self, request, seconds=120):
        """The answer to a request. A worker that crashes or hangs is started anew for the next one."""
        if self.process is None:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            hello = self.read(seconds)
            if request is None:
                return hello
        try:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
        except (BrokenPipeError, AttributeError):
            self.stop()
            return {"error": "the worker does not run"}
        return self.read(seconds)

    def read(self, seconds):
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], seconds)
            piece = os.read(self.process.stdout.fileno(), 1 << 16) if ready else b""
            if not piece:
                self.stop()
                return {"error": "crashed" if ready else f"no answer in {seconds} s"}
            line += piece
        return json.loads(line)

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def run(self, model, feeds, folder):
        """Outputs by name, or what went wrong as a string."""
        import numpy as np, onnx
        # tract does not say how outputs are called.
        outputs = [output.name for output in onnx.load(model, load_external_data=False).graph.output]
        inputs = []
        for i, (name, array) in enumerate(feeds.items()):
            file = f"{folder}/in{i}"
            array.tofile(file)
            inputs.append({"name": name, "type": str(array.dtype), "shape": list(array.shape), "file": file})
        answer = self.ask({"model": str(model), "inputs": inputs, "outputs": outputs, "folder": str(folder)})
        if "outputs" not in answer:
            return " ".join(str(answer.get("error")).split())
        return {o["name"]: np.fromfile(o["file"], o["type"]).reshape(o["shape"]) for o in answer["outputs"]}


def feeds_of(model, positive):
    """Numbers for every input, the same in every run; a size that is not stated is 2."""
    import numpy as np, onnx
    random, feeds = np.random.default_rng(17), {}
    constants = {tensor.name for tensor in model.graph.initializer}
    for value in model.graph.input:
        if value.name in constants:
            continue
        tensor = value.type.tensor_type
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        shape = [dim.dim_value or 2 for dim in tensor.shape.dim]
        if dtype.kind == "f":
            array = random.uniform(0.1 if positive else -1.0, 1.0, shape)
        else:
            array = np.arange(np.prod(shape, dtype=int)).reshape(shape) % 2
        feeds[value.name] = np.ascontiguousarray(array, dtype=dtype)
    return feeds


def same(got, want):
    """Whether outputs are those of the reference up to rounding: relative to the sum of magnitudes."""
    import numpy as np
    for name, reference in want.items():
        array = got.get(name)
        if array is None or array.shape != reference.shape:
            return False
        if reference.dtype.kind != "f":
            if not np.array_equal(array, reference):
                return False
            continue
        tolerance = 2e-2 if reference.dtype == np.float16 else 1e-3
        a, b = array.astype(np.float64), reference.astype(np.float64)
        if not np.abs(a - b).sum() <= tolerance * np.abs(b).sum() + 1e-6:
            return False
    return True


def finite(outputs):
    import numpy as np
    return all(np.isfinite(array).all() for array in outputs.values() if array.dtype.kind == "f")


def fixtures(short):
    networks = sorted(FIXTURES.glob("*.onnx")) + sorted(FIXTURES.glob("subgraphs/*.onnx"))
    # Of a form that is there for several operator sets, the newest.
    forms = sorted(FIXTURES.glob("forms/*.onnx"), key=lambda path: (path.name.split(".")[0], -int(re.sub(r"\D", "", path.stem.split(".")[-1]) or 0)))
    if short:
        groups = itertools.groupby(forms, key=lambda path: path.name.split(".")[0])
        forms = [next(group) for _, group in groups]
    return networks + forms


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="runtimes, such as openvino")
    parser.add_argument("--short", action="store_true", help="fewer runtimes and fixtures")
    parser.add_argument("--binary", default=HERE.parent / "target/release/abslrp", type=pathlib.Path)
    parser.add_argument("--level", action="append", choices=["O0", "O2"], help="both without it")
    parser.add_argument("--match", default="", help="a regular expression of fixtures")
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    parser.add_argument("--cache", default=pathlib.Path(base) / "abslrp-runtimes", type=pathlib.Path)
    arguments = parser.parse_args()
    if not arguments.binary.exists():
        parser.error(f"{arguments.binary} is not there: `cargo build --release` makes it, --binary names another")
    all_of_them = table(arguments.binary)
    if unknown := set(arguments.names) - set(all_of_them):
        parser.error(f"no runtime {', '.join(sorted(unknown))}; there are {', '.join(all_of_them)}")
    if importlib.util.find_spec("onnx") is None:
        # This script itself needs `onnx`, which brings NumPy.
        python = installed("driver", ["onnx==1.23.2"], arguments.cache) / "bin/python"
        os.execv(python, [str(python), *sys.argv])
    names = arguments.names or [name for name, one in all_of_them.items() if one["must"] or not arguments.short]
    names = dict.fromkeys([REFERENCE, *names])
    runtimes = {name: Runtime(name, worker(name, all_of_them[name], arguments.cache)) for name in names}

    columns = ["right", "wrong", "refused", "source not run"]
    counts = {(name, level): dict.fromkeys(columns, 0) for name in runtimes for level in arguments.level or ["O2", "O0"]}
    failures, stale, compared = [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        explained = pathlib.Path(folder) / "explained.onnx"
        for path in fixtures(arguments.short):
            fixture = str(path.relative_to(FIXTURES))
            if not re.search(arguments.match, fixture):
                continue
            judged = judge(path, explained, runtimes, counts, arguments.binary, folder)
            for name, level, verdict, why, known in judged:
                compared += 1
                counts[name, level][verdict] += 1
                limits = known.get((all_of_them[name]["name"], all_of_them[name]["version"]), [])
                # What is known is that the runtime says so, never that it gives other numbers.
                if verdict == "wrong" or verdict == "refused" and not limits:
                    failures.append((name, level, fixture, verdict, why))
                elif verdict == "right" and limits:
                    stale.append((name, level, fixture, "; ".join(f"{limit['operator']} {limit['form']}" for limit in limits)))
    print(f"\n| runtime | version | level | {' | '.join(columns)} |\n|{'---|' * 7}")
    for (name, level), count in counts.items():
        print(f"| {name} | {runtimes[name].version} | -{level} | {' | '.join(str(count[c]) for c in columns)} |")
    for name, level, fixture, verdict, why in failures:
        print(f"{verdict}: {fixture} at -{level} on {name}: {why[:300]}")
    for name, level, fixture, limits in stale:
        print(f"runs, though it is said not to: {fixture} at -{level} on {name}, with {limits}")
    for runtime in runtimes.values():
        runtime.stop()
    must = [f for f in failures if f[3] == "wrong" or all_of_them[f[0]]["must"]]
    stale = [s for s in stale if all_of_them[s[0]]["must"]]
    if not compared:
        print("nothing was compared")
    sys.exit(bool(must or stale or not compared))


def judge(path, explained, runtimes, counts, binary, folder):
    """(runtime, level, verdict, why, what is known) of a fixture; nothing if it cannot be compared."""
    import onnx
    model, reference = onnx.load(path), runtimes[REFERENCE]
    for positive in (False, True):
        feeds = feeds_of(model, positive)
        want_source = reference.run(path, feeds, folder)
        if isinstance(want_source, dict) and finite(want_source):
            break
    else:
        return
    for level in dict.fromkeys(level for _, level in counts):
        command = [binary, "compile", path, "-o", explained, f"-{level}", "--json"]
        compiled = subprocess.run(command, capture_output=True, check=False)
        if compiled.returncode:
            continue
        known = json.loads(compiled.stdout)["summary"]["runtimes"]
        known = {(found["runtime"], found["version"]): found["limits"] for found in known}
        want = reference.run(explained, feeds, folder)
        if isinstance(want, str):
            yield REFERENCE, level, "refused", want, known
            continue
        if not finite(want):
            continue
        for name, runtime in runtimes.items():
            source = runtime.run(path, feeds, folder)
            if isinstance(source, str) or not same(source, want_source) or (name, path.stem) in FAULTY:
                yield name, level, "source not run", "", known
                continue
            got = runtime.run(explained, feeds, folder)
            if isinstance(got, str):
                yield name, level, "refused", got, known
            elif same(got, want):
                yield name, level, "right", "", known
            else:
                yield name, level, "wrong", "relevance differs", known


if __name__ == "__main__":
    main()
