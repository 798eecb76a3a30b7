"""An imported generator, small and random, from its file to a driven portrait."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from photorig.shared.errors import ModelError
from photorig.worker.cli import main as command
from photorig.worker.generators import load_generator
from photorig.worker.portraits.portrait import Portrait
from photorig.worker.reenactment.bundle import bundle_for, generator_of, load_bundle
from photorig.worker.registry.imported import imported_folder, trained_file
from photorig.worker.training import everything

from ..checkpoint_files import DATA, Golden, golden, rosinality_state, torch_bytes

pytestmark = pytest.mark.timeout(1500)
"""Half a minute of processor time, mostly in training; on a busy computer that can take long."""

SEED_PARAMETERS = '{"frame": 1, "parameters": {"headYaw": 5, "jawOpen": 0.3}}\n'


def with_a_face() -> Golden:
    """Random weights of 64², whose last noise is a photo: so that there is a face to measure."""
    network = golden("stylegan2-skip64")
    tensors = {name: values.copy() for name, values in network.tensors.items()}
    photo = cv2.imread(str(DATA / "astronaut.jpg"), cv2.IMREAD_GRAYSCALE)
    face = cv2.resize(photo, (64, 64), interpolation=cv2.INTER_AREA) / 127.5 - 1
    for side in (4, 8, 16, 32):
        tensors[f"synthesis.b{side}.torgb.weight"] *= 0.002
    last = "synthesis.b64"
    tensors[f"{last}.conv1.noise_const"] = face.astype(np.float32)
    tensors[f"{last}.conv1.noise_strength"] = np.array(4, np.float32)
    tensors[f"{last}.torgb.weight"] = np.full_like(tensors[f"{last}.torgb.weight"], 0.01)
    return Golden(tensors, network.values, network.options)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's folder with the generator, imported and trained as little as can be."""
    folder = tmp_path_factory.mktemp("tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PHOTORIG_DATA", str(folder / "data"))
        network = with_a_face()
        average = torch.from_numpy(network.plain["mapping.w_avg"])
        content = {"g_ema": rosinality_state(network), "latent_avg": average}
        (folder / "tiny.pt").write_bytes(torch_bytes(content))
        assert command.main(["models", "import", str(folder / "tiny.pt")]) == 0
        assert command.main(["train", "all", "--generator", "tiny", "--effort", "0.001"]) == 0
    return folder / "data"


@pytest.fixture(autouse=True)
def folder(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder, beside the user's own."""
    monkeypatch.setenv("PHOTORIG_DATA", str(data))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_everything_is_there_and_of_this_generator() -> None:
    for piece in everything.PIECES:
        assert (imported_folder("tiny") / piece.file_name).is_file()
    bundle, generator = load_bundle("tiny"), load_generator("cpu", name="tiny")
    assert (bundle.name, bundle.model_id) == ("tiny", generator.model_id)
    assert bundle.directions.shape[1:] == (10, 64)
    assert generator_of("tiny") == bundle_for(generator.model_id) == "tiny"
    assert bundle_for("somebody else's") == "default"


def test_what_is_there_is_not_trained_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(everything, "_train", lambda piece, *rest: seen.append(piece.name))
    words = ["train", "all", "--generator", "tiny"]
    assert command.main(words) == 0
    assert seen == []
    assert "tiny has everything" in capsys.readouterr().out
    assert command.main([*words, "--again"]) == 0
    assert seen == [piece.name for piece in everything.PIECES]


def test_a_stopped_training_says_what_is_left_and_goes_on_there(
    data: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    shutil.copytree(data, folder / "copy")
    monkeypatch.setenv("PHOTORIG_DATA", str(folder / "copy"))
    (imported_folder("tiny") / "encoder.safetensors").unlink()
    with pytest.raises(ModelError, match=r"photorig train all --generator tiny"):
        trained_file("tiny", "encoder.safetensors")
    monkeypatch.setattr(everything, "_train", lambda piece, args, folder: None)
    assert command.main(["train", "all", "--generator", "tiny"]) == 0
    said = capsys.readouterr().out
    assert "left to train for tiny: encoder of photos\n" in said


def test_a_generator_that_nobody_imported_is_told(capsys: pytest.CaptureFixture) -> None:
    assert command.main(["train", "all", "--generator", "nobody"]) == 1
    assert "photorig models import" in capsys.readouterr().err


def test_a_person_is_sampled_and_driven(folder: Path) -> None:
    sample = ["sample", "--seed", "3", "--bundle", "tiny", "--out", "face.png"]
    assert command.main([*sample, "--portrait", "face.portrait"]) == 0
    portrait = Portrait.load(folder / "face.portrait")
    assert portrait.latents.shape == (10, 64)
    Path("motion.jsonl").write_text(SEED_PARAMETERS)
    words = ["render", "face.portrait", "motion.jsonl", "--out", "frames", "--size", "256"]
    assert command.main(words) == 0
    assert cv2.imread("frames/frame_0001.png").shape == (256, 256, 3)
    for method in ("stylemask", "transfer", "stylespace"):
        assert command.main([*words[:-3], method, "--size", "256", "--method", method]) == 0
        assert cv2.imread(f"{method}/frame_0001.png").shape == (256, 256, 3)


def test_how_well_it_obeys_is_evaluated(folder: Path) -> None:
    words = ["evaluate", "control", "--bundle", "tiny", "--people", "1", "--pairs", "1"]
    options = ["--each", "1", "--size", "256", "--device", "cpu", "--out", "report"]
    assert command.main([*words, *options]) == 0
    assert (folder / "report" / "index.html").is_file()


def test_a_photo_is_fitted(folder: Path) -> None:
    words = ["fit", str(DATA / "astronaut.jpg"), "--quick", "--steps", "2", "--bundle", "tiny"]
    assert command.main([*words, "--out", "photo.portrait"]) == 0
    portrait = Portrait.load(folder / "photo.portrait")
    assert portrait.model_id == load_bundle("tiny").model_id
    assert portrait.tuning is not None
    assert load_generator("cpu", name="tiny").tuned(portrait.tuning).n_rows == 10
