"""Training on a machine that others use as well: threads that spin while they wait, threads that sleep, one thread.

    python -m tests.benchmarks.busy --load 0 1 4 --repeats 3

Each is a process of its own that trains a small BERT, in turn, beside so many processes that compute without end.
Printed is the median of seconds, and of CPU seconds, and their ratios to threads that sleep, as raykd has them.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from raykd.cpus import OMP, WAIT, available_cpus

SPIN = "while True: pass"
TRAIN = """
import json, sys, time, torch
from transformers import BertConfig, BertForSequenceClassification
steps, width = map(int, sys.argv[1:])
torch.manual_seed(1)
config = BertConfig(num_hidden_layers=4, hidden_size=width, num_attention_heads=4, intermediate_size=4 * width,
                    vocab_size=2000)
model = BertForSequenceClassification(config)
optimizer = torch.optim.AdamW(model.parameters())
rows, labels = torch.randint(2000, (32, 32)), torch.randint(2, (32,))
for step in range(-2, steps):
    if step == 0:
        began, used = time.perf_counter(), time.process_time()
    loss = model(input_ids=rows, labels=labels).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
print(json.dumps([time.perf_counter() - began, time.process_time() - used, loss.item()]))
"""
SLEEP = "threads that sleep"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--load", type=int, nargs="+", default=[0, 1, 4], help="processes that compute beside")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--steps", type=int, default=34)
    parser.add_argument("--width", type=int, default=64)
    asked = parser.parse_args()
    cpus = str(max(2, available_cpus()))
    ways: dict[str, dict[str, str | None]] = {
        "threads that spin": {OMP: cpus, WAIT: None},
        SLEEP: {OMP: cpus, WAIT: "PASSIVE"},
        "one thread": {OMP: "1", WAIT: "PASSIVE"},
    }
    print(
        f"{cpus} threads on {available_cpus()} CPUs, {asked.steps} steps of 4 x {asked.width}; load {os.getloadavg()}"
    )
    for load in asked.load:
        took: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        with spinning(load):
            for _ in range(asked.repeats):
                for way, variables in ways.items():
                    took[way].append(train(asked.steps, asked.width, variables))
        usual = [statistics.median(part) for part in zip(*took[SLEEP], strict=True)]
        for way, times in took.items():
            wall, cpu = (statistics.median(part) for part in zip(*times, strict=True))
            print(
                f"{load} beside  {way:<20} {wall:7.2f} s ({wall / usual[0]:5.2f}x)  {cpu:7.2f} CPU-s "
                f"({cpu / usual[1]:5.2f}x)  slowest {max(seconds for seconds, _ in times):.2f} s",
                flush=True,
            )


def train(steps: int, width: int, variables: dict[str, str | None]) -> tuple[float, float]:
    """Seconds and CPU seconds of the training, in a process with those environment variables."""
    environment = {name: value for name, value in {**os.environ, **variables}.items() if value is not None}
    command = [sys.executable, "-c", TRAIN, str(steps), str(width)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    seconds, used, _ = json.loads(done.stdout.splitlines()[-1])
    return seconds, used


@contextmanager
def spinning(count: int) -> Iterator[None]:
    """So many processes that compute without end."""
    busy = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(count)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
