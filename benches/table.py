"""What an explanation costs, as a table for the README: `table.py DIRECTORY [--rounds N] [--batch N …] [NAME …]`.

    cargo build --release
    python benches/table.py target/zoo

Explained models on ONNX Runtime beside their plain ones, and beside the same done in PyTorch: by the
notebook's procedure (forward hooks and a backward pass per layer; it knows no residual networks) and by
zennit's ZPlus and EpsilonPlus. Everything runs in turn in one process with as many threads; what is printed
are ratios of medians. Needs torch, torchvision, zennit, onnx, onnxscript and onnxruntime.
"""

import argparse
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time
import warnings

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "fixtures"))

import numpy as np
import onnxruntime
import torch
import torchvision
import zennit.composites
import zennit.rules
import zennit.types
from zennit.attribution import Gradient
from zennit.canonizers import SequentialMergeBatchNorm

import fullsize
from make import relevance

warnings.filterwarnings("ignore")
WARM, PYTORCH = 3, 3  # turns that do not count on ONNX Runtime, and turns that do in PyTorch
NETWORKS = ["vgg16", "resnet50", "mobilenet_v2", "densenet121", "efficientnet_b0"]


def session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4
    # Threads that wait for more work would slow down what runs next to them.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class Native:
    """A model on ONNX Runtime."""

    def __init__(self, session):
        self.session = session

    def __call__(self, x):
        return self.session.run(None, {"x": x.numpy()})


def attribution(net, composite):
    def run(x):
        with Gradient(model=net, composite=composite) as attributor:
            return attributor(x, torch.eye(1000)[[0] * len(x)])
    return run


def canonizers(name):
    # DenseNet normalises before its layers; what zennit would merge there are layers that do not follow each other.
    return [] if name.startswith("densenet") else [SequentialMergeBatchNorm()]


def zplus(name):
    types, rules = zennit.types, zennit.rules
    layers = [(types.Activation, rules.Pass()), (types.AvgPool, rules.Norm()), (types.Convolution, rules.ZPlus()), (types.Linear, rules.ZPlus())]
    return zennit.composites.LayerMapComposite(layers, canonizers=canonizers(name))


def plain(net):
    def run(x):
        with torch.no_grad():
            return net(x)
    return run


def layers(net):
    """VGG16 as a sequence, as the notebook takes it apart."""
    return torch.nn.Sequential(*net.features, net.avgpool, torch.nn.Flatten(), *net.classifier).eval()


def measure(name, batch, directory, rounds, threads):
    source = directory / f"{name}.onnx"
    if not source.exists():
        fullsize.main(directory, name)
    explained = {}
    for level in "02":
        explained[level] = directory / f"{name}.O{level}.onnx"
        subprocess.run([ROOT / "target/release/abslrp", "compile", source, "-o", explained[level], "-O", level], check=True,
                       stdout=subprocess.DEVNULL)
    x = torch.randn(batch, 3, 224, 224)
    net = torchvision.models.get_model(name, weights=None).eval()
    for module in net.modules():  # Relevance is about activations that are still there.
        if hasattr(module, "inplace"):
            module.inplace = False
    runs = {"plain": session(source, threads), "-O0": session(explained["0"], threads), "-O2": session(explained["2"], threads)}
    runs = {what: Native(run) for what, run in runs.items()}
    runs["PyTorch"] = plain(net)
    if name == "vgg16":
        sequence = layers(net)
        runs["notebook"] = lambda x: relevance(sequence, x, lambda y: y)
    runs["ZPlus"] = attribution(net, zplus(name))
    runs["EpsilonPlus"] = attribution(net, zennit.composites.EpsilonPlus(canonizers=canonizers(name)))
    times = {what: [] for what in runs}
    for turn in range(WARM + rounds):
        for what, run in runs.items():
            native = isinstance(run, Native)
            # PyTorch is slow, and warm after a turn; ONNX Runtime has its memory laid out after some.
            if not native and turn > PYTORCH:
                continue
            begin = time.perf_counter()
            run(x)
            if turn >= (WARM if native else 1):
                times[what].append(time.perf_counter() - begin)
    median = {what: statistics.median(of) for what, of in times.items()}
    ratio = lambda a, b: f"{median[a] / median[b]:.1f}" if a in median else "–"
    print(f"| {name} | {batch} | {median['plain'] * 1e3:.1f} ms | {median['-O2'] / median['plain']:.2f} | {median['-O0'] / median['plain']:.2f} "
          f"| {ratio('notebook', '-O2')} | {ratio('ZPlus', '-O2')} | {ratio('EpsilonPlus', '-O2')} | {ratio('PyTorch', 'plain')} |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=pathlib.Path)
    parser.add_argument("names", nargs="*", default=NETWORKS)
    parser.add_argument("--batch", type=int, action="append")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.processor())
    print(f"{model}, {options.threads} threads, ONNX Runtime {onnxruntime.__version__}, PyTorch {torch.__version__}\n")
    print("| network | batch | plain | -O2 ÷ plain | -O0 ÷ plain | notebook ÷ -O2 | ZPlus ÷ -O2 | EpsilonPlus ÷ -O2 | PyTorch plain ÷ plain |")
    print("|---|---|---|---|---|---|---|---|---|")
    for batch in options.batch or [1, 8]:
        for name in options.names:
            measure(name, batch, options.directory, options.rounds, options.threads)


if __name__ == "__main__":
    main()
