"""ONNX models that explain themselves.

    import abslrp

    explained = abslrp.compile("model.onnx", target="argmax")   # model.explained.onnx
    outputs = abslrp.explain(explained, {"image": image})       # arrays by name
    abslrp.show(outputs["image_relevance"], image=image)        # in a notebook

`compile` adds one output per input, `<input>_relevance`, of the input's shape: how much each element counted. Its unit is
that of the explained score (with `init="value"`, the default), positive for it and negative against it; only sums and ratios
within one map mean something.

Models are paths, bytes or `onnx.ModelProto`. Models with external data are passed as paths. Whatever takes long lets other
threads run, and can be interrupted (Ctrl-C).
"""

from __future__ import annotations

import atexit
import json
import os
import pathlib
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeVar, Union, overload

import numpy as np

from . import _abslrp
from ._runtime import library
from ._show import Shown, show
from ._torch import from_torch
from .errors import (
    AbslrpError,
    AbslrpWarning,
    DataError,
    InternalError,
    ModelError,
    OptionError,
    RunError,
    RuntimeNotFoundError,
    UnsupportedError,
    VerifyError,
)

if TYPE_CHECKING:
    import numpy.typing as npt
    import onnx
    from typing_extensions import Unpack

__all__ = [
    "AbslrpError",
    "AbslrpWarning",
    "DataError",
    "Explainer",
    "InternalError",
    "ModelError",
    "OptionError",
    "Report",
    "RunError",
    "RuntimeNotFoundError",
    "Shown",
    "UnsupportedError",
    "VerifyError",
    "compile",
    "evaluate",
    "explain",
    "from_torch",
    "inspect",
    "rules",
    "show",
    "verify",
]

Path = Union[str, "os.PathLike[str]"]
Model = Union[Path, bytes, "onnx.ModelProto"]
Inputs = Union["npt.ArrayLike", Mapping[str, "npt.ArrayLike"]]
Progress = Callable[[int, int], object]
_Proto = TypeVar("_Proto", bound="onnx.ModelProto")


class Options(TypedDict, total=False):
    """What to explain, and how: keyword arguments of `compile`, `inspect`, `explain` and `Explainer`."""

    rule: str
    """A rule with its options, `"gamma"` or `"gamma:gamma=0.5"`; see `rules`. By default `"abslrp"`."""
    composite: str | Mapping[str, Any]
    """Rules for different layers, in place of one: the name of a preset, or what `tomllib` reads of a file as
    `abslrp compile --config` takes it."""
    canonize: Literal["units", "none"]
    """What is taken for one layer: what a framework does (default), or every node by itself."""
    set: Mapping[str, float | Sequence[float]]
    """Inputs that are taken for constants, which may choose a branch. Maps are right where the model is fed that."""
    output: str
    """The tensor to explain; by default the first output. Of an output that a final softmax or sigmoid makes, what it is
    before that."""
    after_softmax: bool
    """Explain an output that a softmax or sigmoid at the very end makes itself."""
    select: str
    """The part of the explained tensor that counts, as numpy writes it, and targets are chosen in: `":,4:,:"`."""
    target: str | int | Sequence[int]
    """The class: `"all"` at once (default), `"argmax"`, `"max"` (the largest element per sample, whatever its place), an index, several (a map each, side by side on axis 1), or
    `"input"`: adds an input `target`, int64 of shape [N]; `"input:K"` one of shape [N, K]."""
    class_axis: int
    """The axis that classes lie along; by default 1, or the last where there are fewer."""
    init: Literal["value", "abs", "one", "softmax"]
    """The relevance that the target starts with: its value (default), its magnitude, 1, or the gradient of its softmax."""
    contrastive: bool
    """Subtract what the other classes get, starting from as much in all as the target."""
    normalize: Literal["none", "sum", "max"]
    """What maps are divided by, per sample: nothing (default), Σ|R|, or max|R|."""
    reduce: Literal["none", "channels"]
    """What maps are summed over: nothing (default), or axis 1."""
    relevance_of: Sequence[str]
    """Intermediate tensors whose relevance is an output, too."""
    map_at: str | int
    """Stop at this tensor, or at the last one whose map has at least so many rows and columns: a coarse map [N, 1, ...],
    summed over channels and stretched to the input."""
    on_demand: bool
    """Add an input `explain`, a bool: false costs nothing, and gives empty relevance."""
    on_unsupported: Literal["error", "stop"]
    """Where an operator has no rule: raise `UnsupportedError` (default), or cut relevance there and warn."""
    level: Literal[0, 2]
    """The optimisation level: the formulas to the letter, or everything that means the same (default)."""
    passes: str
    """The optimisation passes in place of the level's, with commas between; or those of the level without some, with a `-`
    before each."""
    bake_twins: bool
    """Write twins of weights as initializers, for runtimes that do not fold constants."""


class Report(dict):  # type: ignore[type-arg]
    """What was found, by name; as text for people with `str`."""

    def __init__(self, found: Mapping[str, Any], text: str) -> None:
        super().__init__(found)
        self._text = text

    def __str__(self) -> str:
        return self._text


@overload
def compile(model: Model, out: Path, *, progress: Progress | None = None, **options: Unpack[Options]) -> pathlib.Path: ...
@overload
def compile(model: bytes, *, progress: Progress | None = None, **options: Unpack[Options]) -> bytes: ...
@overload
def compile(model: Path, *, progress: Progress | None = None, **options: Unpack[Options]) -> pathlib.Path: ...
@overload
def compile(model: _Proto, *, progress: Progress | None = None, **options: Unpack[Options]) -> _Proto: ...


def compile(
    model: Model, out: Path | None = None, *, progress: Progress | None = None, **options: Unpack[Options]
) -> pathlib.Path | bytes | onnx.ModelProto:
    """Rewrites a model so that it explains itself.

    Every node, initializer and metadata entry of the source stays as it is; what is added follows. There is one more output
    for each input that relevance reaches, `<input>_relevance`, of the input's shape and type (with several classes, these
    lie side by side on axis 1).

    Args:
        model: The source.
        out: The file to write. By default what is given comes back: for a path, the path of a new file beside it,
            `MODEL.explained.onnx`; for bytes, bytes; for a `ModelProto`, another.
        progress: Is called with the number of bytes that are written, and of those to be written.
        **options: What to explain, and how; see `Options`.

    Returns:
        The path of the file, or the explained model.

    Raises:
        ModelError: It is no valid ONNX model, or explained already.
        OptionError: An option means nothing, here or at all.
        UnsupportedError: Relevance cannot cross a node.
        OSError: A file cannot be read or written. What was there before is still there then.

    Warns:
        AbslrpWarning: Relevance was cut, or the rule is ill-conditioned on this network.
    """
    given = _source(model)
    if out is None and not isinstance(given, bytes):
        out = pathlib.Path(given).with_suffix(".explained.onnx")
    explained, summary = _abslrp.compile(given, out, _options(options), progress)
    _warn(json.loads(summary))
    if out is not None:
        return pathlib.Path(out)
    assert explained is not None
    if isinstance(model, (bytes, str, os.PathLike)):
        return explained
    proto = type(model)()
    proto.ParseFromString(explained)
    return proto


def inspect(model: Model, **options: Unpack[Options]) -> Report:
    """Shows the plan, and writes nothing: each layer, its rule and why, what is unsupported, what it will cost.

    Args:
        model: The source.
        **options: What to explain, and how; see `Options`.

    Returns:
        A report with `explained`, `units` (each with `node`, `operators`, `kind`, `rule`, `treatment`, `type`), `kinds`,
        `inputs`, `passes`, `unsupported`, `cost` (`added_nodes`, `added_bytes` and `multiply_adds` before and after; `None`
        where the model would be refused) and `refusal`, which says why; `str` of it is a table.

    Raises:
        ModelError: It is no valid ONNX model.
        OptionError: An option means nothing, here or at all.
        OSError: The file cannot be read.
    """
    found, text, refusal = _abslrp.inspect(_source(model), _options(options))
    return Report({**json.loads(found), "refusal": refusal}, text)


def verify(
    model: Model,
    *,
    source: Path | None = None,
    inputs: Inputs | None = None,
    device: Literal["cpu", "cuda"] = "cpu",
) -> Report:
    """Runs an explained model beside its source on ONNX Runtime, and checks what is promised: original outputs that are
    bit-identical with optimisations off, maps that are finite, agree at both levels, and do not move with rounding.

    Args:
        model: The explained model.
        source: Its source; by default it is taken out of the explained model.
        inputs: What both are fed, by name, or one array for the only input; by default random numbers.
        device: Where they run.

    Returns:
        A report with `model` (its path, if it has one), `holds` (whether every promise holds), `outputs`, `relevance` (for each map, `sum`, `magnitude`,
        `finite`, `movement`, `faults`), `start` (Σ|R| where relevance started) and `units`: what each layer received and
        gave. `str` of it is for people.

    Raises:
        VerifyError: The model is not explained, or its source cannot be told.
        RuntimeNotFoundError: There is no ONNX Runtime.
        RunError: ONNX Runtime refuses the model or the inputs.
        DataError: There is no such input.
    """
    given = _source(model)
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(given, bytes):
            path = pathlib.Path(folder, "model.onnx")
            path.write_bytes(given)
            given = path
        files: list[tuple[str, Path]] = []
        if inputs is not None:
            arrays = _by_name(inputs, lambda: [name for name, _, _ in Explainer(given).inputs])
            for number, (name, array) in enumerate(arrays.items()):
                file = pathlib.Path(folder, f"{number}.npy")
                np.save(file, np.asarray(array), allow_pickle=False)
                files.append((name, file))
        found, text = _abslrp.verify(given, source, files, device, library())
    report = json.loads(found)
    if not isinstance(model, (str, os.PathLike)):
        # It has no name: that of the folder it lay in means nothing.
        text = text.replace(report["model"], "the model")
        report["model"] = None
    return Report(report, text)


class Explainer:
    """An explained model that is loaded once and run often.

    Args:
        model: A model; one that does not explain itself yet is explained first, in memory.
        device: Where it runs.
        **options: What to explain, and how; see `Options`. For a model that does not explain itself yet.

    Raises:
        RuntimeNotFoundError: There is no ONNX Runtime.
        RunError: ONNX Runtime refuses the model or the device.
        OptionError: An option means nothing, or the model is explained already.
        AbslrpError: The model cannot be explained; see `compile`.
    """

    inputs: list[tuple[str, str, list[int | None]]]
    """The inputs: name, type as numpy calls it, and sizes; those that are chosen at run time are `None`."""

    def __init__(
        self, model: Model, *, device: Literal["cpu", "cuda"] = "cpu", **options: Unpack[Options]
    ) -> None:
        text = _options(options) if options else None
        self._session = _abslrp.Session(_source(model), text, device, library())
        self.inputs = self._session.inputs

    def __call__(self, inputs: Inputs) -> dict[str, npt.NDArray[Any]]:
        """The outputs and the maps for some inputs.

        Args:
            inputs: Arrays by the names of inputs, or one array for the only input, with samples along axis 0. They are
                converted to the input's type where numpy's rule `same_kind` allows it. The input `explain` of a model
                that was compiled with `on_demand` is true where it is left out.

        Returns:
            Arrays by the names of outputs; the relevance of an input is `<input>_relevance`. bfloat16 comes as float32.

        Raises:
            DataError: There is no such input, or an array has another kind of type.
            RunError: ONNX Runtime refuses the inputs: one is missing, or of another shape.
        """
        types = {name: dtype for name, dtype, _ in self.inputs}
        arrays = dict(_by_name(inputs, lambda: [name for name in types if name != "explain"]))
        if types.get("explain") == "bool":
            arrays.setdefault("explain", np.array(True))
        feeds = []
        for name, array in arrays.items():
            array = np.asarray(array)
            dtype = types.get(name, array.dtype)
            if not np.can_cast(array.dtype, dtype, "same_kind"):
                raise DataError(f"the input '{name}' is of {dtype}, and the array of {array.dtype}")
            feeds.append((name, array.astype(dtype, copy=False)))
        return self._session.run(feeds)


def explain(
    model: Model, inputs: Inputs, *, device: Literal["cpu", "cuda"] = "cpu", **options: Unpack[Options]
) -> dict[str, npt.NDArray[Any]]:
    """Runs a model, and says how much each element of its inputs counted. The model is loaded, and explained if it is not
    yet; use an `Explainer` to do so once.

    Args:
        model: A model, explained or not.
        inputs: Arrays by the names of inputs, or one array for the only input, with samples along axis 0.
        device: Where it runs.
        **options: What to explain, and how; see `Options`. For a model that does not explain itself yet.

    Returns:
        Arrays by the names of outputs; the relevance of an input is `<input>_relevance`, of its shape.

    Raises:
        AbslrpError: As `Explainer` and its call say.
    """
    return Explainer(model, device=device, **options)(inputs)


def evaluate(
    model: Model,
    inputs: Inputs,
    *,
    labels: Sequence[int] | None = None,
    masks: npt.ArrayLike | None = None,
    methods: Sequence[str | Options] | Mapping[str, Options] = ("abslrp", "abslrp-notebook", "gamma", "zplus"),
    by: Literal["patches", "tokens", "features"] | None = None,
    patch: int | None = None,
    replace: Literal["mean", "zero", "blur"] | float | None = None,
    steps: int = 32,
    by_label: bool = False,
    gae: bool = True,
    batch: int = 64,
    layout: Literal["nchw", "nhwc"] | None = None,
    seed: int = 0,
    device: Literal["cpu", "cuda"] = "cpu",
    progress: Progress | None = None,
) -> Report:
    """Measures which rule is faithful for a model on data, beside gradient × input and random maps.

    Args:
        model: The model, not yet explained.
        inputs: Arrays by the names of inputs, or one array for the explained input: [N, ...], samples along axis 0.
        labels: The class of each sample, [N].
        masks: Where the object is, positive within: of the explained input's shape, or without its channels.
        methods: Rules, by name or as options; or options by names of their own.
        by: What is replaced together; by default patches of images, and features of anything else.
        patch: The size of a patch in pixels; by default a sixteenth of the shorter side.
        replace: What regions are replaced by; by default the mean. Inputs of integers need a number, such as the id of a
            mask token.
        steps: In how many steps all regions are replaced.
        by_label: Explain the labels, not the predicted classes.
        gae: Measure Global Attribution Evaluation, on images, four or more.
        batch: How many samples run at once, where the model leaves it open.
        layout: The order of an image's axes; by default whichever has 1 or 3 channels.
        seed: Where random maps and mosaics come from.
        device: Where it runs.
        progress: Is called with how much is done, and how much there is to do.

    Returns:
        A report with `methods`, from the largest gap to the smallest, each with `method`, `gap` (the area between the curves
        of probabilities, LeRF less MoRF: 0 for random maps, the larger the more faithful), `gap_error` (its standard error),
        `morf`, `lerf`, `localisation` and `gae`; `samples`, `accuracy`, `regions`, `shares`.

    Raises:
        DataError: The data do not fit the model.
        OptionError: An option means nothing, here or at all.
        UnsupportedError: The model has no score of a class that could be followed, or cannot be explained.
    """
    arrays = dict(inputs) if isinstance(inputs, Mapping) else {None: inputs}
    named = [(name, np.asarray(array, dtype=np.float64)) for name, array in arrays.items()]
    listed = methods.items() if isinstance(methods, Mapping) else (("", method) for method in methods)
    measure = {
        "methods": [
            (name, _plain({"rule": method} if isinstance(method, str) else method)) for name, method in listed
        ],
        "by": by,
        "patch": patch,
        "replace": None if replace is None else str(replace),
        "steps": steps,
        "by_label": by_label,
        "gae": gae,
        "batch": batch,
        "layout": layout,
        "seed": seed,
        "device": device,
    }
    classes = None if labels is None else [int(label) for label in labels]
    where = None if masks is None else np.asarray(masks, dtype=np.float64)
    found = json.loads(
        _abslrp.evaluate(_source(model), named, classes, where, json.dumps(measure), library(), progress)
    )
    lines = [f"{m['method']:<24} {m['gap']:.3f} ± {m['gap_error']:.3f}" for m in found["methods"]]
    return Report(found, "\n".join([f"{'method':<24} gap", *lines, ""]))


def rules() -> list[dict[str, Any]]:
    """The rules and the presets of composites.

    Returns:
        For each, `name`, `kind` (`"rule"` or `"composite"`), `options` (each with `name`, `default`, which is `None` where
        it has to be given, and `what`), and `text`: the formula, its source and its limits.
    """
    return list(json.loads(_abslrp.rules()))


def _source(model: Model) -> Path | bytes:
    """A model as the extension takes it."""
    if isinstance(model, (bytes, str, os.PathLike)):
        return model
    if hasattr(model, "SerializeToString"):
        return bytes(model.SerializeToString())
    raise TypeError(f"a model is a path, bytes or an onnx.ModelProto, not {type(model).__name__}")


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as the library reads and writes them."""
    unknown = options.keys() - Options.__annotations__.keys()
    if unknown:
        known = ", ".join(Options.__annotations__)
        raise TypeError(f"there is no option {', '.join(sorted(unknown))}; there are {known}")
    plain = dict(options)
    target = plain.get("target")
    if target is not None and not isinstance(target, str):
        indices = [target] if isinstance(target, (int, np.integer)) else target
        plain["target"] = ",".join(str(int(index)) for index in indices)
    if "level" in plain:
        plain["level"] = f"O{plain['level']}"
    if "relevance_of" in plain:
        plain["relevance_of"] = list(plain["relevance_of"])
    if "map_at" in plain:
        plain["map_at"] = str(plain["map_at"])
    if "set" in plain:
        plain["set"] = [f"{name}={','.join(map(_number, np.ravel(values)))}" for name, values in plain["set"].items()]
    if isinstance(plain.get("composite"), Mapping):
        plain["composite"] = {"name": "composite", **plain["composite"]}
    return {name: value for name, value in plain.items() if value is not None}


def _number(value: Any) -> str:
    """A number in full, as the library reads it."""
    return repr(float(value))


def _options(options: Mapping[str, Any]) -> str:
    return json.dumps(_plain(options))


def _by_name(inputs: Inputs, names: Callable[[], list[str]]) -> Mapping[str, npt.ArrayLike]:
    """Inputs by name; an array alone is that of the only input."""
    if isinstance(inputs, Mapping):
        return inputs
    known = names()
    if len(known) != 1:
        raise DataError(f"the model has {len(known)} inputs, {', '.join(known)}; pass arrays by name")
    return {known[0]: inputs}


def _warn(summary: Mapping[str, Any]) -> None:
    """Says what there is to know of an explanation."""
    told = [f"cut: {cut}" for cut in summary["cut"]] + summary["warnings"]
    if at := summary.get("ill_conditioned"):
        told.append(
            f"{at['rule']} is ill-conditioned at '{at['node']}' ({at['operator']}): it divides by a sum of either sign, "
            "which can vanish; rule='abslrp' holds there, and abslrp.verify measures it"
        )
    for text in told:
        warnings.warn(text, AbslrpWarning, stacklevel=3)


def _abandon(process: int) -> None:
    # A process that was forked off has none of the files that this one is writing.
    if os.getpid() == process:
        _abslrp.abandon()


atexit.register(_abandon, os.getpid())
