# SPDX-License-Identifier: GPL-2.0-or-later
"""One end of a session of libhearth that does not keep to the protocol (window_wire.h).

    window_ends.py serve MODE          on standard input and output, in the place of hearthd
    window_ends.py ask HEARTHD MODE... starts hearthd --server, and says what it answered
"""
import struct
import subprocess
import sys

ATTACH, CONNECT, LEASE, RELEASE, READ, WRITE, FLUSH, INFO, REVOKED, GONE = range(1, 11)
HELLO, FAIL, ASK, TOLD = 1, 13, 64, 65
BLOCK = 512


def frame(kind, body):
    return struct.pack('<IB', len(body), kind) + body


def message(verb, flags=0, status=0, ident=0, key=0, offset=0, length=0, text=b'', data=b''):
    assert len(text) < 128
    return struct.pack('<BBIIIQQB', verb, flags, status, ident, key, offset, length, len(text)) + text + data


def receive(stream):
    head = stream.read(5)
    if len(head) < 5:
        return None, b''
    length, kind = struct.unpack('<IB', head)
    return kind, stream.read(length)


def take_apart(body):
    verb, flags, status, ident, key, offset, length, size = struct.unpack('<BBIIIQQB', body[:31])
    return dict(verb=verb, flags=flags, status=status, id=ident, key=key, offset=offset, len=length,
                text=body[31:31 + size].decode(), data=body[31 + size:])


ATTACHED = message(ATTACH, offset=1 << 20, key=BLOCK, length=65536, ident=4)


def serve(mode):
    source, to = sys.stdin.buffer, sys.stdout.buffer

    def say(kind, body):
        to.write(frame(kind, body))
        to.flush()

    receive(source)
    if mode == 'text':
        to.write(b'Welcome to this machine, which is not Hearth\n' * 4)
        to.flush()
        return
    if mode == 'long':
        to.write(struct.pack('<IB', 1 << 30, TOLD))
        to.flush()
        return
    if mode == 'no-window':
        say(TOLD, message(ATTACH, offset=1 << 20, key=BLOCK, length=0, ident=4))
    if mode == 'no-block':
        say(TOLD, message(ATTACH, offset=1 << 20, key=0, length=65536, ident=4))
    if mode == 'odd-window':
        say(TOLD, message(ATTACH, offset=1 << 20, key=BLOCK, length=65537, ident=4))
    say(TOLD, ATTACHED)
    while True:
        kind, body = receive(source)
        if kind is None:
            return
        ask = take_apart(body)
        if mode == 'short':
            say(TOLD, message(READ, data=b'x' * (ask['len'] - 1)))
        elif mode == 'too-much':
            say(TOLD, message(READ, data=b'x' * (ask['len'] + 1)))
        elif mode == 'other-verb':
            say(TOLD, message(WRITE))
        elif mode == 'other-kind':
            say(HELLO, message(READ))
        elif mode == 'flags':
            say(TOLD, message(READ, flags=128))
        elif mode == 'cut':
            say(TOLD, message(READ)[:20])
        elif mode == 'fail':
            say(FAIL, struct.pack('<BB', 4, 3) + b'so!')
        elif mode == 'gone':
            say(TOLD, message(REVOKED, ident=9))
            say(TOLD, message(GONE, status=19, text=b'vol0: it is gone'))
        elif mode == 'error':
            say(TOLD, message(READ, status=5, text=b'vol0: a bad block'))
        elif mode == 'silent':
            continue
        else:
            return


def ask(program, mode):
    far = subprocess.Popen([program, '--server'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def say(body, kind=ASK):
        far.stdin.write(frame(kind, body))
        far.stdin.flush()

    def hear():
        kind, body = receive(far.stdout)
        if kind == FAIL:
            return 'fail', body[2:].decode()
        return ('closed', '') if kind is None else ('told', take_apart(body))

    first = dict(ident=1, offset=7, length=1 << 20, text=b'vol0', data=bytes(32))
    first.update({'version': dict(ident=99), 'no-name': dict(text=b''), 'dots': dict(text=b'..'), 'slash': dict(text=b'a/b'),
                  'part': dict(text=b'vol0@0'), 'short-key': dict(data=b'x'), 'nul': dict(text=b'a\0b')}.get(mode, {}))
    say(message(READ if mode == 'no-attach' else ATTACH, **first))
    kind, told = hear()
    if kind != 'told' or told['status']:
        far.stdin.close()
        far.wait()
        return f"{kind} {told if kind == 'fail' else str(told['status']) + ' ' + told['text']}"
    say({'twice': message(ATTACH, **first), 'far': message(READ, offset=1 << 63, length=1),
         'huge': message(READ, length=1 << 40), 'write': message(WRITE, data=bytes(512)), 'lease': message(LEASE),
         'verb': message(99), 'release': message(RELEASE, ident=5) + b'', 'behind': message(READ, offset=1 << 40, length=9),
         'gone': message(GONE), 'zero': message(READ)}[mode])
    if mode == 'release':
        say(message(FLUSH))
    kind, told = hear()
    far.stdin.close()
    far.wait()
    return f"{kind} {told if kind == 'fail' else ' '.join(str(told[k]) for k in ('verb', 'status', 'text'))} {len(told['data']) if kind == 'told' else ''}"


if sys.argv[1] == 'serve':
    serve(sys.argv[2])
else:
    for each in sys.argv[3:]:
        print(f'{each}: {ask(sys.argv[2], each)}', flush=True)
