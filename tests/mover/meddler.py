#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A network that meddles with connections. It listens on a port of 127.0.0.1 and joins each connection to HOST at the
same port. What is to happen to the first, the second ... connection is said by one word each:

  pass         nothing
  reset:BYTES  when so many bytes have come by, either way, both sides are reset
  hole:BYTES   from then on nothing comes by any more, and nobody is told

Later ones pass. A last word "close" refuses them instead. A line "listening" goes to standard output once it does.
"""
import selectors
import socket
import struct
import sys

CHUNK = 65536


class Pair:
    """Two sockets, what happens to them, and bytes until it does."""

    def __init__(self, near, far, action):
        self.name, _, count = action.partition(":")
        self.left = int(count or 0)
        self.ends = (near, far)

    def other(self, sock):
        return self.ends[1] if sock is self.ends[0] else self.ends[0]


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def drop(sel, pair, how):
    for sock in pair.ends:
        sel.unregister(sock)
        how(sock)


def carry(sel, pair, sock):
    """Moves what there is; a side that ends ends the other."""
    try:
        data = sock.recv(CHUNK)
        if data:
            pair.other(sock).sendall(data)
    except OSError:
        drop(sel, pair, reset)
        return
    if not data:
        sel.unregister(sock)
        pair.other(sock).shutdown(socket.SHUT_WR)
        return
    pair.left -= len(data)
    if pair.name == "reset" and pair.left < 0:
        drop(sel, pair, reset)
    elif pair.name == "hole" and pair.left < 0:
        drop(sel, pair, HOLES.append)


HOLES = []  # sockets nobody looks at any more, and that stay open


def main():
    port, host, actions = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    closes = actions[-1:] == ["close"]
    if closes:
        actions.pop()
    listener = socket.create_server(("127.0.0.1", port))
    sel = selectors.DefaultSelector()
    sel.register(listener, selectors.EVENT_READ, None)
    print("listening", flush=True)
    while True:
        for key, _ in sel.select():
            if key.fileobj.fileno() < 0 or key.fileobj not in {k.fileobj for k in sel.get_map().values()}:
                continue  # dropped together with its other side
            if key.data:
                carry(sel, key.data, key.fileobj)
                continue
            near = listener.accept()[0]
            pair = Pair(near, socket.create_connection((host, port)), actions.pop(0) if actions else "pass")
            for sock in pair.ends:
                sel.register(sock, selectors.EVENT_READ, pair)
            if closes and not actions:
                sel.unregister(listener)
                listener.close()


if __name__ == "__main__":
    main()
