"""Models of other frameworks: the map of the rule `gradient` is the gradient that the framework computes itself.

Each test is left out where its framework is not installed."""

from __future__ import annotations

import numpy as np
import pytest

import abslrp
from conftest import two_layers


def same(found, expected, tolerance=1e-4):
    """Whether a map is another, by the largest difference over the largest value."""
    expected = np.asarray(expected)
    assert found.shape == expected.shape
    assert np.abs(expected).max() > 0
    assert np.abs(found - expected).max() < tolerance * np.abs(expected).max()


def relevance(model, inputs, name, **options):
    """The gradient of the largest score of each sample."""
    return abslrp.explain(model, inputs, rule="gradient", target="argmax", init="one", **options)[f"{name}_relevance"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
@pytest.mark.parametrize("exporter", ["dynamo", "torchscript"])
def test_torch(exporter, tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    from torch import nn

    torch.manual_seed(0)

    class Net(nn.Module):
        """An image and a row, with layers that training and evaluation take for different ones."""

        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.SiLU(), nn.Dropout(0.5), nn.Flatten())
            self.head = nn.Linear(4 * 6 * 6 + 5, 7)

        def forward(self, image, row):
            return self.head(torch.cat([self.body(image), row], dim=1))

    net = Net()
    net.body[1].running_mean.normal_()
    image, row = torch.randn(3, 3, 8, 8, requires_grad=True), torch.randn(3, 5, requires_grad=True)
    assert net.training
    by_place = abslrp.from_torch(net, (image[:1].detach(), row[:1].detach()), exporter=exporter)
    by_name = abslrp.from_torch(
        net, {"row": row.detach(), "image": image.detach()}, tmp_path / "net.onnx", exporter=exporter
    )
    assert net.training and by_name == tmp_path / "net.onnx"
    net.eval()
    net(image, row).max(dim=1).values.sum().backward()
    for model in (by_place, by_name):
        explain = abslrp.Explainer(model, rule="gradient", target="argmax", init="one")
        assert [(name, sizes[0]) for name, _, sizes in explain.inputs] == [("image", None), ("row", None)]
        found = explain({"image": image.detach().numpy(), "row": row.detach().numpy()})
        same(found["image_relevance"], image.grad)
        same(found["row_relevance"], row.grad)
    with pytest.raises(ValueError, match="neither dynamo nor torchscript"):
        abslrp.from_torch(net, image, exporter="other")
    with pytest.raises(TypeError, match="2 arguments.*3 examples"):
        abslrp.from_torch(net, (image, row, row))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")
def test_hugging_face():
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
        max_position_embeddings=12, num_labels=3, attn_implementation="eager",
    )
    net = transformers.BertForSequenceClassification(config).eval()
    ids = torch.randint(1, 50, (2, 7))
    mask = torch.tensor([[1] * 7, [1] * 5 + [0] * 2])
    model = abslrp.from_torch(net, {"input_ids": ids, "attention_mask": mask})
    # Of a token: what its embedding's gradient says along the embedding.
    embedded = {}
    table = net.get_input_embeddings()
    table.register_forward_hook(lambda _, __, out: (out.retain_grad(), embedded.update(out=out)) and None)
    net(input_ids=ids, attention_mask=mask).logits.max(dim=1).values.sum().backward()
    expected = (embedded["out"] * embedded["out"].grad).sum(dim=-1).detach().numpy()
    inputs = {"input_ids": ids.numpy(), "attention_mask": mask.numpy()}
    found = abslrp.explain(model, inputs, rule="gradient-x-input", target="argmax", init="one", class_axis=1)
    same(found["input_ids_relevance"], expected, 1e-3)


def test_scikit_learn():
    pytest.importorskip("sklearn")
    skl2onnx = pytest.importorskip("skl2onnx")
    from sklearn.datasets import load_iris
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), MLPClassifier((8,), random_state=0, max_iter=2000)).fit(x, y)
    model = skl2onnx.to_onnx(pipeline, x[:1].astype(np.float32), options={"zipmap": False})
    found = relevance(model, x, "X", output="probabilities", after_softmax=True)
    # The formula: softmax(relu(z w + b) v + c) of z = (x − mean) ⊘ scale.
    scaler, network = pipeline
    (w, v), (b, c) = network.coefs_, network.intercepts_
    h = scaler.transform(x) @ w + b
    logits = np.maximum(h, 0) @ v + c
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    np.testing.assert_array_equal(p.argmax(axis=1), pipeline.predict(x))
    rows, best = np.arange(len(x)), p.argmax(axis=1)
    of_logits = p[rows, best][:, None] * (np.eye(3)[best] - p)
    expected = (((of_logits @ v.T) * (h > 0)) @ w.T) / scaler.scale_
    same(found, expected, 1e-3)


@pytest.mark.filterwarnings("ignore")
def test_keras():
    tf = pytest.importorskip("tensorflow")
    tf2onnx = pytest.importorskip("tf2onnx")
    tf.random.set_seed(0)
    layers = tf.keras.layers
    net = tf.keras.Sequential([
        tf.keras.Input((8, 8, 3), name="image"),
        layers.Conv2D(4, 3, activation="relu"), layers.BatchNormalization(), layers.MaxPooling2D(), layers.Flatten(),
        layers.Dense(5),
    ])
    signature = [tf.TensorSpec((None, 8, 8, 3), tf.float32, name="image")]
    model, _ = tf2onnx.convert.from_function(tf.function(lambda image: net(image, training=False)), signature, opset=17)
    image = tf.random.normal((3, 8, 8, 3))
    with tf.GradientTape() as tape:
        tape.watch(image)
        best = tf.reduce_max(net(image, training=False), axis=1)
    same(relevance(model, image.numpy(), "image"), tape.gradient(best, image))


def test_onnxruntime_optimised_and_quantised(mlp, tmp_path):
    ort = pytest.importorskip("onnxruntime")
    quantization = pytest.importorskip("onnxruntime.quantization")
    import onnx

    random = np.random.default_rng(3)
    shapes = (20, 32), (32,), (32, 4)
    w, b, v = (random.normal(size=shape).astype(np.float32) for shape in shapes)
    x = random.normal(size=(6, 20)).astype(np.float32)
    h = x @ w + b
    best = (np.maximum(h, 0) @ v).argmax(axis=1)
    expected = ((h > 0) * v.T[best]) @ w.T
    source = tmp_path / "source.onnx"
    onnx.save(two_layers(w, b, v), source)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
    same(relevance(tmp_path / "optimised.onnx", x, "x"), expected)

    # The gradient of the network that the integers stand for, which is not far from the source's.
    quantization.quantize_dynamic(source, tmp_path / "dynamic.onnx")

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self.batches = iter([{"x": x}])

        def get_next(self):
            return next(self.batches, None)

    quantization.quantize_static(source, tmp_path / "static.onnx", Reader(), per_channel=True)
    for name in ("dynamic", "static"):
        same(relevance(tmp_path / f"{name}.onnx", x, "x"), expected, 0.1)
