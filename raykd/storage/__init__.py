"""Folders that every node can see: object storage (S3 and what speaks it, Google, Azure) or a shared file system.

Wherever a place is a URL its objects are reached through ``pyarrow.fs``, and waited for while it is away. Credentials
and endpoints come from the environment (``AWS_*``, ``GOOGLE_APPLICATION_CREDENTIALS``, ``AZURE_*``), never from a URL.
"""

from raykd.storage.at_hand import at_hand, nearby
from raykd.storage.copies import cache_folder
from raykd.storage.folders import fetch, send
from raykd.storage.mirror import Mirror
from raykd.storage.patience import Away
from raykd.storage.places import exists, names, read_text, remove, write_text
from raykd.storage.urls import check_url, is_url, join

__all__ = [
    "Away",
    "Mirror",
    "at_hand",
    "cache_folder",
    "check_url",
    "exists",
    "fetch",
    "is_url",
    "join",
    "names",
    "nearby",
    "read_text",
    "remove",
    "send",
    "write_text",
]
