"""Each kind of model is opened and answers as it did where it was made; what is wrong gets a sentence."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from deepsight.core.errors import DeepSightError, UsageError
from deepsight.model.foreign.keras_model import refuse_code
from deepsight.model.foreign.network import undisturbed
from deepsight.model.foreign.onnx_model import runner
from deepsight.model.foreign.open import open_model
from deepsight.model.foreign.outputs import output_tensor
from deepsight.model.foreign.state_dict import read_state_dict


class Small(nn.Module):
    """A convolution, average pooling, a linear layer."""

    def __init__(self, k: int = 3) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.norm, self.head = nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.Linear(8, k)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.norm(self.conv(images)).relu().mean((2, 3)))


INPUT = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))


def answers(what: str, **more: object) -> Tensor:
    """What an opened model says about the input."""
    opened = open_model(what, **more).network  # type: ignore[arg-type]
    inputs = INPUT.permute(0, 2, 3, 1) if opened.layout == "nhwc" else INPUT
    with torch.no_grad():
        return output_tensor(opened.forward(inputs))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["safetensors", "pt", "wrapped", "parallel"])
def test_a_checkpoint_of_timm(tmp_path: Path, kind: str) -> None:
    model = timm.create_model("resnet10t", num_classes=3).eval()
    state = model.state_dict()
    file = tmp_path / f"mine.{'safetensors' if kind == 'safetensors' else 'pth'}"
    if kind == "safetensors":
        save_file(state, file)
    else:
        prefixed = {f"module.{n}": v for n, v in state.items()} if kind == "parallel" else state
        torch.save({"state_dict": prefixed, "epoch": 3} if kind != "pt" else prefixed, file)
    with torch.no_grad():
        torch.testing.assert_close(answers("timm:resnet10t", weights=file), model(INPUT))
    documented = open_model("timm:resnet10t", file).network.documented
    assert documented is not None
    assert documented.channels == "rgb"
    assert len(documented.mean) == 3


@pytest.mark.slow
def test_a_checkpoint_that_does_not_fit(tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    save_file(timm.create_model("resnet18", num_classes=3).state_dict(), file)
    with pytest.raises(DeepSightError, match="does not fit timm:resnet10t"):
        open_model("timm:resnet10t", file)


def test_a_pickle_that_needs_code_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "whole.pt"
    torch.save(Small(), file)
    with pytest.raises(DeepSightError, match="would run code"):
        open_model("timm:resnet10t", file)
    with pytest.raises(DeepSightError, match="not TorchScript"):
        open_model(f"torchscript:{file}")


def test_torchscript(tmp_path: Path) -> None:
    module, file = Small().eval(), tmp_path / "small.pt"
    torch.jit.save(torch.jit.trace(module, INPUT), file)
    with torch.no_grad():
        torch.testing.assert_close(answers(f"torchscript:{file}"), module(INPUT))


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network in ONNX, for two images at once."""
    file = tmp_path_factory.mktemp("onnx") / "small.onnx"
    torch.onnx.export(Small().eval(), (INPUT,), file, dynamo=True, verbose=False)
    return file


@pytest.mark.slow
def test_onnx_is_converted_and_answers_alike(onnx_file: Path) -> None:
    opened = open_model(f"onnx:{onnx_file}").network
    assert (opened.batch, opened.size, opened.layout) == (2, (32, 32), "nchw")
    with torch.no_grad():
        torch.testing.assert_close(answers(f"onnx:{onnx_file}"), Small().eval()(INPUT), atol=1e-4, rtol=1e-4)
    assert opened.module is not None


@pytest.mark.slow
def test_onnx_that_cannot_be_converted_is_asked(onnx_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnx2torch

    def fails(*_: object) -> None:
        raise NotImplementedError("Converter is not implemented for an operator")

    monkeypatch.setattr(onnx2torch, "convert", fails)
    opened = open_model(f"onnx:{onnx_file}").network
    assert opened.module is None
    assert "without gradients" in opened.notice
    torch.testing.assert_close(opened.forward(INPUT), Small().eval()(INPUT).detach(), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["dynamic", "static"])
def test_onnx_in_int8_is_asked_and_nearly_agrees(onnx_file: Path, tmp_path: Path, how: str) -> None:
    """Weights in eight bits, and with `static` activations too, as deployed files have them."""
    quantization = pytest.importorskip("onnxruntime.quantization")
    file = tmp_path / "int8.onnx"

    class Calibration(quantization.CalibrationDataReader):  # type: ignore[name-defined,misc]
        images = iter([{"images": INPUT.numpy()}])

        def get_next(self) -> object:
            return next(self.images, None)

    if how == "dynamic":
        quantization.quantize_dynamic(onnx_file, file)
    else:
        quantization.quantize_static(onnx_file, file, Calibration())
    opened = open_model(f"onnx:{file}").network
    assert opened.module is None
    assert "without gradients" in opened.notice
    wanted = Small().eval()(INPUT).detach()
    assert float((answers(f"onnx:{file}") - wanted).abs().max()) < 0.1 * float(wanted.abs().max())


def test_onnx_that_wants_int8_images_is_refused(tmp_path: Path) -> None:
    helper = pytest.importorskip("onnx.helper")
    images = helper.make_tensor_value_info("images", 3, [1, 3, 32, 32])  # 3: int8
    scores = helper.make_tensor_value_info("scores", 1, [1, 3, 32, 32])
    graph = helper.make_graph(
        [helper.make_node("Cast", ["images"], ["scores"], to=1)], "small", [images], [scores]
    )
    file = tmp_path / "in_int8.onnx"
    opset = [helper.make_opsetid("", 17)]
    file.write_bytes(helper.make_model(graph, opset_imports=opset, ir_version=9).SerializeToString())
    with pytest.raises(DeepSightError, match=r"Expected one image input .* received images tensor\(int8\)"):
        open_model(f"onnx:{file}")


@pytest.mark.slow
def test_onnx_without_its_external_data(tmp_path: Path) -> None:
    file = tmp_path / "outside.onnx"
    torch.onnx.export(Small().eval(), (INPUT,), file, dynamo=True, verbose=False, external_data=True)
    for data in tmp_path.glob("*.data"):
        data.unlink()
    with pytest.raises(DeepSightError, match="in another file, which must lie beside it"):
        open_model(f"onnx:{file}")


def test_files_that_are_not_what_they_claim(tmp_path: Path) -> None:
    file = tmp_path / "text.bin"
    file.write_text("no model")
    for scheme in ("torchscript", "onnx", "keras"):
        with pytest.raises(DeepSightError, match="Expected"):
            open_model(f"{scheme}:{file}")
        with pytest.raises(DeepSightError, match="no such file"):
            open_model(f"{scheme}:{tmp_path / 'absent'}")


@pytest.mark.parametrize(
    "what", ["tim:resnet18", "model.pt", "resnet18", "timm:resnet1888", "onnx:", "python:os"]
)
def test_names_that_cannot_be_meant(what: str) -> None:
    with pytest.raises(UsageError):
        open_model(what)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("resnet18", "--model timm:resnet18"), ("owner/name", "--model hf:owner/name"),
        ("keras:their.onnx", "--model onnx:their.onnx"), ("onnx:their.h5", "--model keras:their.h5"),
    ],
)  # fmt: skip
def test_the_right_prefix_is_named(what: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        open_model(what)


def test_a_whole_model_is_no_weights(tmp_path: Path) -> None:
    (tmp_path / "theirs.onnx").write_bytes(b"graph")
    with pytest.raises(DeepSightError, match="needs no --weights: --model onnx:"):
        open_model("timm:resnet10t", tmp_path / "theirs.onnx")


def test_the_scores_are_found_among_several_outputs() -> None:
    class Session:
        """Names the class first, as exports of some tools do."""

        def get_inputs(self) -> list[object]:
            return [SimpleNamespace(name="images")]

        def run(self, _: object, given: dict[str, np.ndarray]) -> list[np.ndarray]:
            n = len(given["images"])
            return [np.zeros(n, np.int64), np.full((n, 3), 1 / 3, np.float32)]

    answers = output_tensor(runner(Session(), np.float32)(torch.zeros(2, 3, 8, 8)))
    assert answers.shape == (2, 3)


def test_weights_that_need_the_network_are_named() -> None:
    with pytest.raises(DeepSightError, match="--weights"):
        open_model("timm:resnet10t", offline=True)


@pytest.fixture(scope="module")
def keras_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small Keras classifier in both formats."""
    from deepsight.model.foreign.keras_model import keras_on_torch

    keras = keras_on_torch()
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential([
        keras.Input((32, 32, 3)), layers.Rescaling(1 / 255), layers.Conv2D(8, 3, activation="relu"),
        layers.GlobalAveragePooling2D(), layers.Dense(3, activation="softmax"),
    ])  # fmt: skip
    folder = tmp_path_factory.mktemp("keras")
    files = {suffix: folder / f"small{suffix}" for suffix in (".keras", ".h5")}
    for file in files.values():
        model.save(file)
    np.save(folder / "answers.npy", model.predict(INPUT.permute(0, 2, 3, 1).numpy(), verbose=0))
    return files


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_keras_in_both_formats(keras_files: dict[str, Path], suffix: str) -> None:
    file = keras_files[suffix]
    np.testing.assert_allclose(
        answers(f"keras:{file}").numpy(), np.load(file.parent / "answers.npy"), atol=1e-5
    )
    opened = open_model(f"keras:{file}").network
    assert opened.documented is not None
    assert (opened.documented.scale, opened.documented.layout, opened.size) == ("0..255", "nhwc", (32, 32))
    seen: list[tuple[int, ...]] = []
    assert opened.watch is not None
    with opened.watch(lambda _, output: seen.append(tuple(output.shape))):
        opened.forward(INPUT.permute(0, 2, 3, 1))
    assert (2, 30, 30, 8) in seen
    before = len(seen)
    opened.forward(INPUT.permute(0, 2, 3, 1))
    assert len(seen) == before


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_layer_of_a_script_is_named() -> None:
    layer = {"module": None, "class_name": "Mine", "config": {}, "registered_name": "Mine"}
    with pytest.raises(DeepSightError, match="the custom object 'Mine', whose code is not in the file"):
        refuse_code({"layers": [{"module": "keras.layers", "class_name": "Dense"}, layer]}, Path("a.keras"))


def test_keras_files_with_code_are_refused(tmp_path: Path) -> None:
    import h5py

    from deepsight.model.foreign.keras_model import keras_on_torch

    keras = keras_on_torch()
    file = tmp_path / "code.keras"
    keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Lambda(lambda x: x)]).save(file)
    with pytest.raises(DeepSightError, match="Lambda layer"):
        open_model(f"keras:{file}")
    custom = {
        "class_name": "Sequential",
        "config": {"layers": [{"class_name": "Mine", "module": "mine", "config": {}}]},
    }
    with h5py.File(tmp_path / "custom.h5", "w") as content:
        content.attrs["model_config"] = json.dumps(custom)
    with pytest.raises(DeepSightError, match="custom object 'Mine'"):
        open_model(f"keras:{tmp_path / 'custom.h5'}")


@pytest.mark.slow
def test_hugging_face_from_a_folder(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32,
        patch_size=16,
        id2label={0: "cat", 1: "dog", 2: "owl"}, label2id={"cat": 0, "dog": 1, "owl": 2},
    )  # fmt: skip
    model = transformers.ViTForImageClassification(config).eval()
    model.save_pretrained(tmp_path)
    about = {
        "image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32},
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3, "do_normalize": True, "do_rescale": True, "rescale_factor": 1 / 255,
        "resample": 2, "do_resize": True,
    }  # fmt: skip
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(about))
    with torch.no_grad():
        torch.testing.assert_close(answers(f"hf:{tmp_path}"), model(INPUT).logits)
    opened = open_model(f"hf:{tmp_path}").network
    assert opened.classes == ("cat", "dog", "owl")
    assert opened.documented is not None
    assert (opened.documented.mean, opened.documented.height) == ((0.5, 0.5, 0.5), 32)


def test_python_runs_the_users_function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_models.py").write_text(
        "import torch\nfrom torch import nn\n"
        "def pair():\n    return nn.Flatten(), {'height': 8, 'width': 8, 'scale': '0..255'}\n"
        "def broken():\n    raise ValueError('no weights here')\n"
        "def other():\n    return 3\n"
    )
    monkeypatch.chdir(tmp_path)
    opened = open_model("python:their_models:pair")
    assert isinstance(opened.network.module, nn.Flatten)
    assert getattr(opened.preprocess, "scale", None) == "0..255"
    with pytest.raises(DeepSightError, match="no weights here"):
        open_model("python:their_models:broken")
    with pytest.raises(DeepSightError, match=r"torch\.nn\.Module"):
        open_model("python:their_models:other")
    with pytest.raises(UsageError, match="no_such"):
        open_model("python:no_such_package:f")
    sys.modules.pop("their_models")


@pytest.mark.parametrize("name", ["..models:f", "models.:f", "a b:f"])
def test_a_python_name_that_is_no_module_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"package\.module:function"):
        open_model(f"python:{name}")


def test_a_damaged_configuration_in_timms_layout_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"architecture": ')
    with pytest.raises(DeepSightError, match=r"Expected JSON in the config\.json of hf:"):
        open_model(f"hf:{tmp_path}")


@pytest.mark.parametrize("about", ["{", '{"input": {}}', '{"classes": 3}'])
def test_a_damaged_description_in_an_exported_file_is_an_error(tmp_path: Path, about: str) -> None:
    file = tmp_path / "model.pt"
    torch.jit.save(torch.jit.script(nn.Flatten()), file, _extra_files={"deepsight.json": about.encode()})
    with pytest.raises(DeepSightError, match=r"description of an exported model in model\.pt"):
        open_model(f"torchscript:{file}")


def test_a_damaged_checkpoint_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "model.pth"
    file.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(DeepSightError, match=r"Expected a checkpoint of torch\.save"):
        read_state_dict(file)


def test_modes_come_back_also_after_an_error() -> None:
    module = Small().train()
    module.norm.eval()
    before = {name: part.training for name, part in module.named_modules()}

    def fails() -> None:
        with undisturbed(module):
            assert not any(part.training for part in module.modules())
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        fails()
    assert {name: part.training for name, part in module.named_modules()} == before


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("odd_syntax:f", "cannot import 'odd_syntax': it failed with SyntaxError"),
        ("odd_script:f", "it failed with SystemExit: 2. What should not happen on import"),
        ("odd_exit:f", "odd_exit:f failed: SystemExit"),
        ("odd_exit.py:f", "Expected the name of a module, received the file odd_exit.py.*python:odd_exit:f"),
    ],
)
def test_code_that_cannot_be_imported_or_ends_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd_syntax.py").write_text("def f(:\n")
    (tmp_path / "odd_script.py").write_text("import sys\nsys.exit(2)\n")
    (tmp_path / "odd_exit.py").write_text("import sys\ndef f():\n    sys.exit('no checkpoint')\n")
    with pytest.raises(DeepSightError, match=said):
        open_model(f"python:{target}")


def test_a_module_may_stand_where_a_function_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd_module.py").write_text("from torch import nn\nmodel = nn.Flatten()\n")
    assert isinstance(open_model("python:odd_module:model").network.module, nn.Flatten)


def test_averaged_weights_come_first(tmp_path: Path) -> None:
    plain, averaged = ({"w": torch.full((2,), value)} for value in (1.0, 2.0))
    torch.save({"state_dict": plain, "state_dict_ema": averaged}, tmp_path / "both.pth")
    assert read_state_dict(tmp_path / "both.pth")["w"].tolist() == [2, 2]


def test_the_nearest_neighbour_of_a_processor_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow numbers it 0, which is not a missing value."""
    transformers = pytest.importorskip("transformers")
    from deepsight.model.foreign.huggingface_model import processor_format

    class Processor:
        def to_dict(self) -> dict[str, object]:
            return {"size": 32, "resample": 0}

    monkeypatch.setattr(transformers.AutoImageProcessor, "from_pretrained", lambda *_, **__: Processor())
    found = processor_format("any", True, None)
    assert found is not None
    assert found.interpolation == "nearest"
