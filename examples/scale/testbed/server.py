#!/usr/bin/env python3
"""A server that writes down each request: when it came, from where, and what was asked for.

usage: server.py HOST:PORT LOG

A line of LOG: CLOCK_MONOTONIC in ns when the request was read, the client's address, the path. It is
written before the reply is sent. SIGTERM ends it.
"""

import asyncio
import signal
import sys
import time

REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n"


class Connection(asyncio.Protocol):
    def __init__(self, log):
        self.log = log
        self.unread = b""

    def connection_made(self, transport):
        self.transport = transport
        self.peer = transport.get_extra_info("peername")[0]

    def data_received(self, data):
        now = time.monotonic_ns()
        self.unread += data
        # Requests without a body: each ends with a blank line.
        while b"\r\n\r\n" in self.unread:
            head, self.unread = self.unread.split(b"\r\n\r\n", 1)
            path = head.split(b" ", 2)[1].decode()
            self.log.write(f"{now} {self.peer} {path}\n")
            self.transport.write(REPLY)


async def main(place, log):
    host, port = place.rsplit(":", 1)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(lambda: Connection(log), host, int(port), backlog=1024)
    async with server:
        await stop.wait()


if __name__ == "__main__":
    # Buffered by lines, so that others can follow it.
    with open(sys.argv[2], "w", buffering=1) as file:
        asyncio.run(main(sys.argv[1], file))
