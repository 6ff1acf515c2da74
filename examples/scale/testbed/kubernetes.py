#!/usr/bin/env python3
"""A stand-in for the API server of Kubernetes (kmock): it keeps what kubectl gives it, and runs nothing.

usage: kubernetes.py

The first line on stdout is its URL. SIGTERM ends it.
"""

import asyncio
import signal

import kmock

# kmock 0.8 calls the group of these "/v1", where kubectl looks for "v1".
CORE = {"services": "Service", "secrets": "Secret", "persistentvolumeclaims": "PersistentVolumeClaim"}
VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


async def main():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with kmock.KubernetesEmulator() as api, kmock.Server(api) as server:
        api.resources.load_bundled()
        api["get /api/v1"] << {
            "apiVersion": "v1",
            "kind": "APIResourceList",
            "groupVersion": "v1",
            "resources": [
                {"name": name, "kind": kind, "singularName": kind.lower(), "namespaced": True,
                 "verbs": VERBS} for name, kind in CORE.items()],
        }
        print(server.url, flush=True)
        await stop.wait()


asyncio.run(main())
