"""Speaks for a runtime of Python: worker.py KIND. See `Runtime` in matrix.py for what is said; `abslrp verify --runtime
openvino` starts it, too."""

import json, os, sys

import numpy as np


def onnxruntime():
    import onnxruntime as ort

    def run(path, feeds, outputs):
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 4
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return dict(zip(outputs, session.run(outputs, feeds)))

    return ort.__version__, run


def openvino():
    import openvino as ov

    core = ov.Core()
    # Without the hint, some processors compute in bfloat16.
    core.set_property("CPU", {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"})

    def run(path, feeds, outputs):
        model = core.compile_model(path, "CPU")
        results = model({port: feeds[name] for port in model.inputs for name in port.names if name in feeds})
        return {name: np.array(results[port]) for port in model.outputs for name in port.names}

    return ov.__version__.split("-")[0], run


def tract():
    import tract

    def run(path, feeds, outputs):
        model = tract.onnx().load(path)
        names = [model.input_name(i) for i in range(model.input_count())]
        results = model.into_model().into_runnable().run([feeds[name] for name in names])
        return dict(zip(outputs, (result.to_numpy() for result in results)))

    return tract.version(), run


def main():
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    # What a runtime prints is no answer.
    os.dup2(2, 1)
    version, run = {"onnxruntime": onnxruntime, "openvino": openvino, "tract": tract}[sys.argv[1]]()
    answers.write(json.dumps({"version": version}) + "\n")
    for line in sys.stdin:
        try:
            request = json.loads(line)
            feeds = {i["name"]: np.fromfile(i["file"], i["type"]).reshape(i["shape"]) for i in request["inputs"]}
            written = []
            for i, (name, array) in enumerate(run(request["model"], feeds, request["outputs"]).items()):
                file = f"{request['folder']}/out{i}"
                np.ascontiguousarray(array).tofile(file)
                written.append({"name": name, "type": str(array.dtype), "shape": list(array.shape), "file": file})
            answers.write(json.dumps({"outputs": written}) + "\n")
        except BaseException as error:  # some runtimes raise panics that are no Exception
            answers.write(json.dumps({"error": f"{type(error).__name__}: {error}"}) + "\n")


main()
