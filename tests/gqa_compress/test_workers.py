"""Training in two processes: the same losses and the same model as in one, also after both were killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file
from tests.gqa_compress.tiny_models import save_tiny, tiny_model

from gqa_compress.errors import InputError
from gqa_compress.training.config import Lora, Optimizer, Pruning, Teacher, TrainingConfig, as_json
from gqa_compress.training.loop import train
from gqa_compress.training.workers import Workers

COMMAND = [sys.executable, "-c", "from gqa_compress.cli import main; main()", "train"]


@pytest.fixture
def recipe(sorting_rows: Path, tmp_path: Path) -> TrainingConfig:
    start = save_tiny(tiny_model("llama"), tmp_path / "start")
    return TrainingConfig(
        output_dir=tmp_path / "one",
        train_file=sorting_rows,
        validation_file=sorting_rows,
        init_checkpoint=start,
        teacher=Teacher(
            checkpoint=save_tiny(tiny_model("llama", seed=1), tmp_path / "teacher"), kl_weight=0.5
        ),
        max_steps=6,
        gradient_accumulation_steps=2,
        gradient_checkpointing=True,
        max_tokens_per_batch=128,
        max_length=64,
        eval_steps=3,
        max_eval_samples=20,
        save_steps=2,
        precision="fp32",
        threads=1,
        optimizer=Optimizer(learning_rate=1e-3, warmup_steps=1),
    )


def start_two(recipe: TrainingConfig, *options: str) -> list[subprocess.Popen[bytes]]:
    """Start a run in two processes, as torchrun and `accelerate launch` do."""
    path = recipe.output_dir.with_suffix(".yaml")
    path.write_text(yaml.safe_dump(as_json(recipe)))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen(
            [*COMMAND, str(path), *options],
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for rank in range(2)
    ]


def finish(processes: list[subprocess.Popen[bytes]]) -> None:
    outputs = [process.communicate()[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], "\n".join(outputs)


def metrics(folder: Path, name: str = "loss") -> list[float]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)[name] for line in lines if name in json.loads(line)]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"trainable": "lora", "lora": Lora(r=4, targets="all")},
        {"trainable": "kv", "pruning": Pruning(kv_heads=2, tokens=512)},
    ],
    ids=["full", "lora", "pruning"],
)
def test_two_processes_train_as_one(
    recipe: TrainingConfig, fields: dict[str, object], tmp_path: Path
) -> None:
    one = replace(recipe, **fields)
    two = replace(one, output_dir=tmp_path / "two")
    processes = start_two(two)
    train(one)
    finish(processes)
    assert metrics(two.output_dir) == pytest.approx(metrics(one.output_dir), rel=1e-5)
    assert metrics(two.output_dir, "eval_loss") == pytest.approx(
        metrics(one.output_dir, "eval_loss"), rel=1e-5
    )
    expected, found = (load_file(each.output_dir / "model.safetensors") for each in (one, two))
    assert found.keys() == expected.keys()
    for (
        name,
        weight,
    ) in expected.items():  # Adam makes steps of the same size of gradients that are rounding errors
        assert (found[name] - weight).norm() <= 1e-4 * weight.norm(), name
    assert not (two.output_dir / "checkpoints").exists()


def test_a_run_resumes_after_all_its_processes_were_killed(recipe: TrainingConfig, tmp_path: Path) -> None:
    two = replace(recipe, output_dir=tmp_path / "two", max_steps=30)
    processes = start_two(two)
    while not list((two.output_dir / "checkpoints").glob("step-*/progress.json")):
        assert all(process.poll() is None for process in processes)
        time.sleep(0.02)
    for process in processes:
        os.kill(process.pid, signal.SIGKILL)
    for process in processes:
        process.communicate()
    assert not (two.output_dir / "config.json").exists()
    assert len(metrics(two.output_dir)) < 30
    finish(start_two(two, "--resume"))
    one = replace(two, output_dir=recipe.output_dir)
    train(one)
    assert metrics(two.output_dir) == pytest.approx(metrics(one.output_dir), rel=1e-5)


def test_batches_of_a_step_have_to_be_shared_evenly(recipe: TrainingConfig) -> None:
    import torch

    workers = Workers(0, 3, torch.device("cpu"))
    with pytest.raises(
        InputError, match="gradient_accumulation_steps=2 is not a multiple of the 3 processes"
    ):
        workers.check_share(recipe.gradient_accumulation_steps)
    workers.check_share(6)
    assert [Workers(rank, 3, torch.device("cpu")).share("abcdef") for rank in range(3)] == ["ad", "be", "cf"]
