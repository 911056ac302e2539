"""The Hugging Face hub: is it there, and if not, how to stop libraries waiting for it.

Without network, `from_pretrained` and `load_dataset` try again for up to 46 s before they fail. raykd asks once,
briefly, and then works offline for the rest of the process.
"""

from __future__ import annotations

import os
import sys
import threading

ATTEMPT_S = 3.0  # for the connection, and again for the answer
LIMIT_S = 6.0  # in all: looking up a name has no time limit of its own in httpx


def endpoint() -> str:
    """The address in use, e.g. `https://huggingface.co` or the mirror named by HF_ENDPOINT."""
    from huggingface_hub import constants

    return str(constants.ENDPOINT)


def offline() -> bool:
    """True when offline mode is on: by HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE, or `go_offline`."""
    from huggingface_hub import constants

    return bool(constants.HF_HUB_OFFLINE)


def reachable() -> bool:
    """True when the hub answers. Takes at most 6 s; at once False in offline mode.

    Asks with huggingface_hub's own client, so that proxies and certificates are those of the downloads to follow.
    Any answer counts except a failure of the server or of a proxy.
    """
    if offline():
        return False
    answer: list[bool] = []
    asking = threading.Thread(target=lambda: answer.append(_ask()), daemon=True, name="raykd-hub-check")
    asking.start()
    asking.join(LIMIT_S)
    return bool(answer and answer[0])


def go_offline() -> None:
    """Switches offline mode on for this process and for those it starts from now on. There is no way back."""
    from huggingface_hub import constants

    os.environ["HF_HUB_OFFLINE"] = "1"
    constants.HF_HUB_OFFLINE = True
    # datasets copies the flag when it is imported; before that it reads the variable, so nothing is to be done
    config = sys.modules.get("datasets.config")
    if config is not None:
        config.__dict__["HF_HUB_OFFLINE"] = True


def _ask() -> bool:
    from huggingface_hub import get_session

    try:
        status = int(get_session().head(endpoint(), timeout=ATTEMPT_S).status_code)
    except Exception:  # the client's errors differ between versions (requests, httpx); each means: no answer
        return False
    return status < 500 and status != 407
