"""Explains a folder of pictures, however many, on the machines of a Ray cluster: python ray_data.py EXPLAINED FOLDER OUT

Each worker keeps one session of ONNX Runtime and takes batches of pictures as they are read. OUT gets Parquet files with
a row for each picture: its path, its class, the score and the relevance of each pixel. `--workers 8 --gpus 1` takes
eight workers with a GPU each.
"""

import argparse

import numpy as np, ray


class Explainer:
    def __init__(self, model):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # workers share the processors
        self.session = onnxruntime.InferenceSession(model, options, providers=onnxruntime.get_available_providers())

    def __call__(self, batch):
        x = batch["image"].astype(np.float32) / 255
        # Grey pictures have no axis of channels; the model's is the second.
        x = x[:, None] if x.ndim == 3 else x.transpose(0, 3, 1, 2)
        name = self.session.get_inputs()[0].name
        scores, relevance = self.session.run([self.session.get_outputs()[0].name, f"{name}_relevance"], {name: x})
        best = scores.argmax(1)
        return {"path": batch["path"], "class": best, "score": scores[np.arange(len(best)), best], "relevance": relevance}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="explained with --target argmax; every worker needs to reach it")
    parser.add_argument("folder")
    parser.add_argument("out")
    parser.add_argument("--size", type=int, nargs=2, help="height and width to scale pictures to")
    parser.add_argument("--mode", default="RGB", help="RGB, or L for grey")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--cpus", type=float, default=0.5, help="of each worker; reading pictures needs some, too")
    parser.add_argument("--gpus", type=float, default=0, help="of each worker")
    parser.add_argument("--batch", type=int, default=32)
    arguments = parser.parse_args()
    size = tuple(arguments.size) if arguments.size else None
    pictures = ray.data.read_images(arguments.folder, size=size, mode=arguments.mode, include_paths=True)
    explained = pictures.map_batches(
        Explainer, fn_constructor_args=[arguments.model], batch_size=arguments.batch,
        concurrency=arguments.workers, num_cpus=arguments.cpus, num_gpus=arguments.gpus,
    )
    explained.write_parquet(arguments.out)


if __name__ == "__main__":
    main()
