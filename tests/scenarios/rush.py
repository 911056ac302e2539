"""Many processes of one node ask for one model of the hub at once, for test_hub_rush.py.

``python -m tests.scenarios.rush MODEL COUNT`` prints, as JSON, how many of them got the folder and what else was said.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter

from huggingface_hub import get_session, snapshot_download

from raykd import hub
from raykd.errors import UserError
from raykd.models.source import resolve


def ask(model: str) -> str:
    try:
        return "got" if (resolve(model, role="student") / "config.json").is_file() else "an empty folder"
    except UserError as error:
        return " ".join(str(error).split())


def main(model: str, count: int) -> None:
    reading, writing = os.pipe()
    for _ in range(count):
        if os.fork() == 0:
            os.write(writing, (ask(model) + "\n").encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answers:
        print(json.dumps(Counter(answers.read().splitlines())))
    for _ in range(count):
        os.wait()


if __name__ == "__main__":
    assert all((get_session(), snapshot_download, hub.endpoint()))  # imported once, before the fork
    main(sys.argv[1], int(sys.argv[2]))
