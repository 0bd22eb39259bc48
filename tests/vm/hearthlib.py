# SPDX-License-Identifier: GPL-2.0-or-later
"""libhearth as its header has it, for the tests in a guest."""
import ctypes
import os

WRITE, FORCE, RDMA, TCP = 1, 2, 4, 8
PLACE = 'x:lun:/%s'


class Options(ctypes.Structure):
    _fields_ = [('flags', ctypes.c_uint32), ('max_windows', ctypes.c_uint32), ('window_bytes', ctypes.c_uint64),
                ('timeout_s', ctypes.c_uint32), ('reserved', ctypes.c_uint32), ('rsh', ctypes.c_char_p),
                ('hearthd_path', ctypes.c_char_p), ('key_file', ctypes.c_char_p), ('cert', ctypes.c_char_p),
                ('cert_key', ctypes.c_char_p), ('ca', ctypes.c_char_p), ('crl', ctypes.c_char_p),
                ('peer_name', ctypes.c_char_p)]


class Description(ctypes.Structure):
    _fields_ = [('size_bytes', ctypes.c_uint64), ('window_bytes', ctypes.c_uint64), ('block_bytes', ctypes.c_uint32),
                ('max_windows', ctypes.c_uint32)]


class Statistics(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ('rdma_bytes', 'message_bytes', 'leases', 'refusals', 'evictions',
                                                     'revocations', 'reconnections', 'windows')]


lib = ctypes.CDLL(os.environ['HEARTH_BUILD'] + '/userspace/libhearth.so.0')
for call in (lib.hearth_error, lib.hearth_strerror, lib.hearth_transport, lib.hearth_transport_why):
    call.restype = ctypes.c_char_p
for call in (lib.hearth_read, lib.hearth_write, lib.hearth_put, lib.hearth_get):
    call.restype = ctypes.c_ssize_t


class Failed(OSError):
    pass


def check(result, session):
    if result < 0:
        raise Failed(-result, lib.hearth_error(session).decode())
    return result


class Session:
    """Attached by the stand-in for ssh (lib-rdma.sh), unless @place says otherwise."""

    def __init__(self, name, flags=0, place=PLACE, **options):
        o = Options(flags=flags, rsh=(os.getcwd() + '/rsh').encode(),
                    hearthd_path=(os.environ['HEARTH_BUILD'] + '/userspace/hearthd').encode())
        for key, value in options.items():
            setattr(o, key, value.encode() if isinstance(value, str) else value)
        self.s = ctypes.c_void_p()
        check(lib.hearth_attach((place % name).encode(), ctypes.byref(o), ctypes.byref(self.s)), None)

    def detach(self):
        lib.hearth_detach(self.s)
        self.s = None

    def register(self, memory):
        check(lib.hearth_register(self.s, memory, ctypes.c_size_t(len(memory))), self.s)

    def read_into(self, memory, length, offset):
        return check(lib.hearth_read(self.s, memory, ctypes.c_size_t(length), ctypes.c_uint64(offset)), self.s)

    def read(self, length, offset):
        memory = ctypes.create_string_buffer(length)
        n = self.read_into(memory, length, offset)
        return memory.raw[:n]

    def write(self, data, offset):
        return check(lib.hearth_write(self.s, bytes(data), ctypes.c_size_t(len(data)), ctypes.c_uint64(offset)), self.s)

    def flush(self):
        check(lib.hearth_flush(self.s), self.s)

    def put(self, tag, data, offset):
        return check(lib.hearth_put(self.s, ctypes.c_uint64(tag), data, ctypes.c_size_t(len(data)),
                                    ctypes.c_uint64(offset)), self.s)

    def get(self, offset, size=1 << 20):
        memory, tag = ctypes.create_string_buffer(size), ctypes.c_uint64()
        n = check(lib.hearth_get(self.s, ctypes.byref(tag), memory, ctypes.c_size_t(size), ctypes.c_uint64(offset)),
                  self.s)
        return tag.value, memory.raw[:n]

    def describe(self):
        d = Description()
        check(lib.hearth_describe(self.s, ctypes.byref(d)), self.s)
        return d

    def statistics(self):
        st = Statistics()
        lib.hearth_statistics(self.s, ctypes.byref(st))
        return st

    def transport(self):
        return lib.hearth_transport(self.s).decode()

    def why(self):
        return lib.hearth_transport_why(self.s).decode()


def refused(errno, call, *args, says='', **more):
    """The call fails with just this error, and these words."""
    try:
        call(*args, **more)
    except Failed as error:
        assert error.errno == errno and says in error.strerror, (call, args, error)
        return
    raise AssertionError((call, args, 'succeeded, should say', os.strerror(errno)))
