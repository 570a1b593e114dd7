"""TensorZero's embedded gateway on its own HTTP port. Runs on the Python of `--peers`; prints its address.

PYTHON benchmarks/gateway/tensorzero_server.py CONFIG
"""

from __future__ import annotations

import sys
import threading
from typing import Any


def main() -> None:
    import tensorzero  # type: ignore[import-not-found, unused-ignore]

    # What `patch_openai_client` starts behind the client that it patches.
    module: Any = tensorzero
    gateway = module._start_http_gateway(
        config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False
    )
    print(gateway.base_url, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
