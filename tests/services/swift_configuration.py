"""Swift's configuration files for one device, one copy, one user, all on loopback."""

from __future__ import annotations

import getpass
import secrets
from collections.abc import Mapping
from pathlib import Path

# Updates of listings are awaited for long: on a busy machine one that is late would be left to a background service.
STORAGE = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
fallocate_reserve = 0
log_level = WARNING
container_update_timeout = 60
conn_timeout = 10
node_timeout = 60

[pipeline:main]
pipeline = healthcheck {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}

[filter:healthcheck]
use = egg:swift#healthcheck

[object-updater]
recon_cache_path = {folder}
"""

# Of Swift's usual chain only what S3 needs; no cache, for that would be one more server.
PROXY = """[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {folder}
log_level = WARNING

[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck listing_formats bulk s3api tempauth copy slo versioned_writes symlink \
proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
conn_timeout = 10
node_timeout = 60
recoverable_node_timeout = 60

[filter:s3api]
use = egg:swift#s3api
location = {region}

[filter:tempauth]
use = egg:swift#tempauth
user_{account} = {secret} .admin

[filter:slo]
use = egg:swift#slo
rate_limit_after_segment = 10000

"""
FILTERS = (
    "catch_errors",
    "gatekeeper",
    "healthcheck",
    "listing_formats",
    "bulk",
    "copy",
    "versioned_writes",
    "symlink",
)

COMMON = """[swift-hash]
swift_hash_path_suffix = {suffix}

[storage-policy:0]
name = one
default = yes
"""


def write_configuration(folder: Path, ports: Mapping[str, int], *, account: str, secret: str, region: str) -> None:
    """`swift.conf`, one file for each server in `ports` ("proxy" and the three storage servers), the disk's folder.

    account: Swift's account and user, joined by an underscore; the S3 key is the two joined by a colon.
    """
    (folder / "devices" / "disk").mkdir(parents=True)
    (folder / "swift.conf").write_text(COMMON.format(suffix=secrets.token_hex(8)))
    words = {"folder": folder, "user": getpass.getuser()}
    for kind, port in ports.items():
        if kind == "proxy":
            text = PROXY.format(port=port, account=account, secret=secret, region=region, **words)
            text += "".join(f"\n[filter:{name}]\nuse = egg:swift#{name}\n" for name in FILTERS)
        else:
            text = STORAGE.format(port=port, kind=kind, **words)
        (folder / f"{kind}.conf").write_text(text)
