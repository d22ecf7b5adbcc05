"""Which rule is faithful? Trains four small networks on scikit-learn's digits and has `abslrp evaluate` measure the
rules on each. Run by hand; the table in README.md is what it printed.

    cargo build --release
    python benches/faithful.py target/faithful --bin target/release/abslrp

It also draws docs/digits.png, by `abslrp explain`. It needs torch, onnx,
pillow and scikit-learn. Networks that are in the folder already are not trained again.
"""

import argparse
import json
import subprocess
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn import functional as F

DOCS = Path(__file__).parent.parent / "docs"
SIZE, IMAGES = 32, 120
RULES = ["abslrp", "abslrp-notebook", "gamma", "zplus", "epsilon", "attnlrp", "cp-lrp"]


def canvases(images, generator):
    """Each digit at twice its size, at a random place of a noisy canvas, standardised: so inputs are signed."""
    digits = F.interpolate(torch.tensor(images / 16, dtype=torch.float32)[:, None], scale_factor=2, mode="bilinear")
    x = 0.1 * torch.rand(len(digits), 1, SIZE, SIZE, generator=generator)
    masks = torch.zeros(len(digits), SIZE, SIZE)
    span = SIZE - digits.shape[-1] + 1
    places = torch.randint(span, (len(digits), 2), generator=generator)
    for i, (top, left) in enumerate(places.tolist()):
        x[i, :, top : top + 16, left : left + 16] += digits[i]
        masks[i, top : top + 16, left : left + 16] = digits[i, 0] > 0.3
    return (x - 0.15) / 0.3, masks


def conv(i, o, stride=1, groups=1, kernel=3):
    return [nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(o)]


def vgg():
    layers, width = [], 1
    for out in (16, 32, 64):
        layers += [nn.Conv2d(width, out, 3, padding=1), nn.ReLU(), nn.Conv2d(out, out, 3, padding=1), nn.ReLU()]
        layers += [nn.MaxPool2d(2)]
        width = out
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 16, 64), nn.ReLU(), nn.Linear(64, 10))


class Block(nn.Module):
    """ResNet's basic block."""

    def __init__(self, i, o, stride):
        super().__init__()
        self.body = nn.Sequential(*conv(i, o, stride), nn.ReLU(), *conv(o, o))
        self.skip = nn.Sequential(*conv(i, o, stride, kernel=1)) if (i, stride) != (o, 1) else nn.Identity()

    def forward(self, x):
        return F.relu(self.body(x) + self.skip(x))


def resnet():
    blocks = [Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    return nn.Sequential(*conv(1, 16), nn.ReLU(), *blocks, *head)


class Inverted(nn.Module):
    """MobileNetV2's inverted residual: what it adds has a sign."""

    def __init__(self, i, o, stride, expand=4):
        super().__init__()
        h = i * expand
        self.body = nn.Sequential(
            *conv(i, h, kernel=1), nn.ReLU6(), *conv(h, h, stride, groups=h), nn.ReLU6(), *conv(h, o, kernel=1)
        )
        self.residual = i == o and stride == 1

    def forward(self, x):
        return x + self.body(x) if self.residual else self.body(x)


def mobilenet():
    blocks = [Inverted(16, 16, 1), Inverted(16, 24, 2), Inverted(24, 24, 1), Inverted(24, 32, 2), Inverted(32, 32, 1)]
    head = [*conv(32, 64, kernel=1), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    return nn.Sequential(*conv(1, 16), nn.ReLU6(), *blocks, *head)


class Layer(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x):
        n, t, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(n, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        attention = (q @ k.transpose(-1, -2) * (width // self.heads) ** -0.5).softmax(-1)
        x = x + self.out((attention @ v).transpose(1, 2).reshape(n, t, width))
        return x + self.mlp(self.norm2(x))


class ViT(nn.Module):
    def __init__(self, blocks=4, width=64, heads=4, patch=4):
        super().__init__()
        self.embed = nn.Conv2d(1, width, patch, patch)
        self.token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.position = nn.Parameter(0.02 * torch.randn(1, (SIZE // patch) ** 2 + 1, width))
        self.blocks = nn.Sequential(*[Layer(width, heads) for _ in range(blocks)])
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x):
        x = self.embed(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.position
        return self.head(self.norm(self.blocks(x))[:, 0])


def train(net, images, labels, test, epochs):
    generator = torch.Generator().manual_seed(1)
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-2)
    batches = epochs * (len(images) // 64)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=batches)
    net.train()
    for _ in range(epochs):
        # New places and new noise in every epoch.
        x, _ = canvases(images, generator)
        order = torch.randperm(len(x), generator=generator)
        for batch in order[: len(order) // 64 * 64].split(64):
            optimiser.zero_grad()
            F.cross_entropy(net(x[batch]), labels[batch]).backward()
            optimiser.step()
            schedule.step()
    net.eval()
    with torch.no_grad():
        return (net(test[0]).argmax(1) == test[1]).float().mean().item()


def picture(binary, folder, network, image):
    """The map of one image by several rules, side by side."""
    pixels = ((image[0] * 0.3 + 0.15).clamp(0, 1) * 255).round().to(torch.uint8).numpy()
    Image.fromarray(pixels).save(folder / "digit.png")
    maps = []
    for rule in ("abslrp", "abslrp-notebook", "gamma", "gradient-x-input"):
        maps.append(folder / f"{rule}.onnx")
        compile = [binary, "compile", network, "-o", maps[-1], "--target", "argmax", "--rule", rule]
        subprocess.run(compile, check=True, capture_output=True)
    beside = [word for other in maps[1:] for word in ("--beside", other)]
    explain = [binary, "explain", maps[0], folder / "digit.png", "--mean", "0.15", "--std", "0.3"]
    subprocess.run([*explain, "-o", folder / "digits.png", *beside], check=True, capture_output=True)
    (folder / "digits.png").replace(DOCS / "digits.png")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bin")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    data = load_digits()
    train_x, test_x, train_y, test_y = train_test_split(data.images, data.target, test_size=0.25, random_state=0)
    x, masks = canvases(test_x, torch.Generator().manual_seed(2))
    y = torch.tensor(test_y)
    np.savez(args.folder / "data.npz", x=x[:IMAGES].numpy(), labels=test_y[:IMAGES], masks=masks[:IMAGES].numpy())
    for name, make, epochs in [("vgg", vgg, 30), ("resnet", resnet, 30), ("mobilenet", mobilenet, 40), ("vit", ViT, 120)]:
        path = args.folder / f"{name}.onnx"
        if not path.exists():
            torch.manual_seed(0)
            net = make()
            accuracy = train(net, train_x, torch.tensor(train_y), (x, y), epochs)
            print(f"{name}: accuracy {accuracy:.3f} on {len(y)} test images", flush=True)
            names = {"input_names": ["x"], "output_names": ["logits"], "dynamic_axes": {"x": {0: "n"}, "logits": {0: "n"}}}
            torch.onnx.export(net, x[:2], path, dynamo=False, opset_version=17, **names)
        if args.bin:
            rules = [word for rule in RULES for word in ("--rule", rule)]
            command = [args.bin, "evaluate", path, args.folder / "data.npz", "--patch", "2", *rules]
            command += ["--plot", args.folder / f"{name}.svg", "--json"]
            report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            for method in report["methods"]:
                gae = method["gae"]["gae"] if method["gae"] else float("nan")
                print(f"{name:<10} {method['method']:<18} gap {method['gap']:6.3f}  GAE {gae:.3f}", flush=True)
    if args.bin:
        three = next(i for i, label in enumerate(test_y) if label == 3)
        picture(args.bin, args.folder, args.folder / "mobilenet.onnx", x[three])


if __name__ == "__main__":
    main()
