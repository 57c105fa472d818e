"""What to do with a model in a form that is not opened, or that needs another prefix."""

from pathlib import Path

OWN_CODE = "Load it in your own code and use --model python:package.module:function."
ONNX = "Export the model that it was made from to ONNX, and use --model onnx:FILE."
BY_SUFFIX = {
    ".tflite": (
        "a model of TensorFlow Lite", "Convert it: python -m tf2onnx.convert --tflite {} --output model.onnx"
    ),
    ".pb": ("a graph of TensorFlow", "Convert it to ONNX with tf2onnx, and use --model onnx:FILE."),
    ".pt2": ("a program of torch.export", f"torch.export.load('{{}}').module() opens it. {OWN_CODE}"),
    ".pkl": ("a pickle, which runs code when it is read", OWN_CODE),
    ".pickle": ("a pickle, which runs code when it is read", OWN_CODE),
    ".joblib": ("a pickle, which runs code when it is read", OWN_CODE),
    ".mlmodel": ("a model of Core ML", ONNX),
    ".mlpackage": ("a model of Core ML", ONNX),
    ".engine": ("an engine of TensorRT", ONNX),
    ".trt": ("an engine of TensorRT", ONNX),
    ".pdmodel": ("a model of Paddle", ONNX),
    ".caffemodel": ("a model of Caffe", ONNX),
}  # fmt: skip
BY_CONTENT = {
    "saved_model.pb": "{0} is a SavedModel of TensorFlow, which is not opened. Convert it: "
    "python -m tf2onnx.convert --saved-model {0} --output model.onnx",
    "config.json": "{0} is a folder of transformers or timm: --model hf:{0}",
    "study.yaml": "{0} is a run of DeepSight: --model run:{0}",
}


def other_kind(place: str) -> str:
    """A sentence on a file or folder that is not opened as it was named; empty for others."""
    path = Path(place)
    if path.is_dir():
        for name, sentence in BY_CONTENT.items():
            if (path / name).exists():
                return sentence.format(place)
        return f"{place} is a folder, where the file of a model is expected."
    kind, advice = BY_SUFFIX.get(path.suffix.lower(), ("", ""))
    return f"{place} is {kind}, which is not opened. {advice.format(place)}" if kind else ""
