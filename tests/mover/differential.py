#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""rsync and hearthcp on the same random trees with the same random options: the results must be the same.

Usage: differential.py [--push|--pull] SEEDS HEARTHCP [OPTION]..., in an empty directory. SEEDS is FIRST-LAST; the rest
is how to start hearthcp. Everything follows from the seed. A difference is printed with the command lines.
"""

import os
import random
import shutil
import stat
import subprocess
import sys

NAMES = ["a", "b", "c.o", "d.txt", "e e", "f*", "build", "x[1]", ".h", "zz~", "\u00fc", "n\nl"]
PATTERNS = ["*.o", "build", "build/", "/a", "/a/", "b/*", "a/**", "**/b", "[a-c]", "[!a-c]*", "?", "*~", "d.txt",
            "/*/c.o", "a/b", "**", "b/", ".*", "f\\*", "*/a/*", "x[[]1]", "**.txt", "e*e", "a/***", "/b/***"]
# With these, which of several equal files is linked to which is another matter.
UNLINKED = {"--remove-source-files", "--inplace", "-b", "-H"}
BASES = ["-a", "-a", "-a", "-rlt", "-rt", "-rlptD", "-rltgoD", "-rlp"]


def write(path, r):
    size = r.choice([0, 1, 7, 4096, 5000, 70000])
    with open(path, "wb") as f:
        if r.random() < 0.2:
            f.write(b"\0" * size)
        else:
            f.write(bytes(r.getrandbits(8) for _ in range(min(size, 64))) * (size // 64 + 1))
            f.truncate(size)


def stamp(path, r):
    os.utime(path, ns=(0, r.choice([10**18, 10**18 + 5, 10**18 + 10**9, 1500 * 10**15])), follow_symlinks=False)


def grow(top, r, modes, depth=0, files=None):
    """Fills a directory; the same names come again and again, so that trees meet."""
    files = [] if files is None else files
    for name in r.sample(NAMES, r.randint(1, 6)):
        path = os.path.join(top, name)
        kind = r.random()
        if os.path.lexists(path):
            continue
        if kind < 0.3 and depth < 3:
            os.mkdir(path)
            grow(path, r, modes, depth + 1, files)
            os.chmod(path, r.choice([0o755, 0o700, 0o2775, 0o750]))
        elif kind < 0.38:
            os.symlink(r.choice(["a", "../b", "/nowhere", "x"]), path)
        elif kind < 0.43:
            os.mkfifo(path)
        elif kind < 0.5 and files:
            os.link(r.choice(files), path)
        else:
            write(path, r)
            os.chmod(path, r.choice(modes))
            if r.random() < 0.2:
                os.chown(path, r.choice([0, 1234]), r.choice([0, 4321]))
            files.append(path)
    for name in os.listdir(top):
        stamp(os.path.join(top, name), r)
    if depth == 0:
        stamp(top, r)


def mutate(top, r, may_lie=True):
    """Changes a copy here and there. @may_lie: other content may have the same size and time."""
    for where, dirs, files in os.walk(top):
        for name in files:
            path = os.path.join(where, name)
            if r.random() > 0.4 or not stat.S_ISREG(os.lstat(path).st_mode):
                continue
            what = r.random()
            if what < 0.3:
                os.unlink(path)
            elif what < 0.5:
                old = os.stat(path).st_mtime_ns
                size = os.path.getsize(path)
                os.unlink(path)
                with open(path, "wb") as f:
                    f.write(b"y" * size)
                os.utime(path, ns=(0, old if may_lie and r.random() < 0.5 else old + 10**10))
            elif what < 0.7:
                os.utime(path, ns=(0, 10**18 + r.choice([-1, 1]) * 10**12))
            elif what < 0.85:
                os.chmod(path, 0o640)
            else:
                os.unlink(path)
                os.symlink("a", path)
        for name in dirs:
            path = os.path.join(where, name)
            if r.random() < 0.1 and not os.path.islink(path):
                shutil.rmtree(path)
        dirs[:] = [d for d in dirs if os.path.isdir(os.path.join(where, d))]
        for name in ["extra", "q.o", "b~"]:
            path = os.path.join(where, name)
            if r.random() < 0.15 and not os.path.lexists(path):
                write(path, r)
                stamp(path, r)
    for where, dirs, _ in os.walk(top):
        for name in [where] + [os.path.join(where, d) for d in dirs]:
            stamp(name, r)


def clone(source, to):
    subprocess.run(["cp", "-a", source, to], check=True)


def look(top, with_links):
    """What a tree is made of, by path."""
    seen, names = {}, {}
    for where, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(where, name)
            st = os.lstat(path)
            key = os.path.relpath(path, top)
            fact = [oct(st.st_mode), st.st_uid, st.st_gid]
            if stat.S_ISLNK(st.st_mode):
                fact.append(os.readlink(path))
            elif stat.S_ISREG(st.st_mode):
                with open(path, "rb") as f:
                    fact += [st.st_size, hash(f.read())]
                names.setdefault(st.st_ino, []).append(key)
            seen[key] = (fact, st.st_mtime_ns)
    links = sorted(sorted(v) for v in names.values() if len(v) > 1) if with_links else []
    return seen, links


def choose(r):
    """Options, and what of the result is compared."""
    opts = [r.choice(BASES)]
    for option, chance in (("-H", 0.2), ("-u", 0.1), ("--existing", 0.08), ("--ignore-existing", 0.08), ("-I", 0.1),
                           ("--size-only", 0.1), ("-c", 0.15), ("-S", 0.15), ("--remove-source-files", 0.1)):
        if r.random() < chance:
            opts.append(option)
    if r.random() < 0.5:
        opts.append(r.choice(["--delete", "--delete", "--delete-after", "--delete-excluded"]))
    for _ in range(r.choice([0, 0, 1, 2, 4])):
        opts.append(r.choice(["--exclude=", "--exclude=", "--include="]) + r.choice(PATTERNS))
    if "-H" in opts and "--size-only" in opts:
        opts.remove("--size-only")
    if r.random() < 0.15 and "-H" not in opts:
        opts.append(r.choice(["-b", "--suffix=.bak", "--backup-dir=../kept"]))
        if opts[-1] == "--suffix=.bak":
            opts.append("-b")
        elif opts[-1] != "-b" and r.random() < 0.5:
            opts += ["--suffix=.old", "-b"]
        elif opts[-1] != "-b":
            opts.append("-b")
    elif r.random() < 0.1:
        opts.append("--inplace")
    if r.random() < 0.15:
        opts.append("--chmod=" + r.choice(["Dg+s,ug+w", "F600", "a-x,u+X", "go-rwx"]))
    if r.random() < 0.1:
        opts.append("--chown=" + r.choice(["77:78", ":99", "55"]))
    return opts


def show(where, left, right):
    lines = []
    for key in sorted(set(left) | set(right)):
        if left.get(key) != right.get(key):
            lines.append(f"  {where}/{key!r}: rsync {left.get(key)} hearthcp {right.get(key)}")
    return lines


def compare(opts, roots, skips_top):
    """@roots: pairs of trees that must be alike."""
    has_times = any(o.startswith("-") and not o.startswith("--") and ("t" in o or "a" in o) for o in opts)
    lines = []
    for name, theirs, ours in roots:
        (left, links), (right, own_links) = look(theirs, "-H" in opts), look(ours, "-H" in opts)
        # A backup's directories change when the tools come by, not when the source did.
        keeps_dir_times = has_times and "-b" not in opts and "--remove-source-files" not in opts
        for tree in left, right:
            if skips_top:
                tree["dst"] = ([], 0)
            for key, (fact, mtime) in tree.items():
                if key.startswith("kept"):
                    fact[0] = oct(int(fact[0], 8) & ~0o2000)
                is_dir = bool(fact) and stat.S_ISDIR(int(fact[0], 8))
                tree[key] = fact + ([mtime] if (keeps_dir_times if is_dir else has_times) else [])
        lines += show(name, left, right)
        if links != own_links:
            lines.append(f"  {name}: rsync links {links} hearthcp {own_links}")
    return lines


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    return done.returncode, done.stderr.decode(errors="replace")


def one(seed, way, hearthcp):
    r = random.Random(seed)
    shutil.rmtree("work", ignore_errors=True)
    os.makedirs("work/seed/src")
    os.mkdir("work/seed/kept")
    opts = choose(r)
    # Without -p the set-id bits of a file go with its content, which rsync sees otherwise.
    modes = [0o644, 0o600, 0o755, 0o444] + ([0o4755] if opts[0] in ("-a", "-rlptD", "-rlp") else [])
    grow("work/seed/src", r, modes)
    # Which of several names of a file counts is nobody's promise.
    may_lie = "-H" not in opts
    if r.random() < 0.8:
        clone("work/seed/src", "work/seed/dst")
        mutate("work/seed/dst", r, may_lie)
    if r.random() < 0.2:
        clone("work/seed/src", "work/seed/earlier")
        mutate("work/seed/earlier", r, may_lie)
        if opts[0] in ("-a", "-rlptD") and not UNLINKED.intersection(opts):
            opts.append("--link-dest=../earlier")
    slash = r.choice(["/", "/", ""])
    for tool in "theirs", "ours":
        clone("work/seed", f"work/{tool}")
    status, said = {}, {}
    for tool, program in (("theirs", ["rsync", "--modify-window=-1"]), ("ours", hearthcp)):
        # Whatever is left of a source may be meant to be deleted here.
        extra = ["--force"] if tool == "ours" else []
        source, to = f"work/{tool}/src{slash}", f"work/{tool}/dst/"
        if tool == "ours" and way == "--push":
            to = f"there:{os.getcwd()}/{to}"
        if tool == "ours" and way == "--pull":
            source = f"there:{os.getcwd()}/{source}"
        status[tool], said[tool] = run(program + extra + opts + [source, to])
    lines = compare(opts, [("work", "work/theirs", "work/ours")], not slash)
    if (status["theirs"] == 0) != (status["ours"] == 0):
        lines.append(f"  exit status: rsync {status['theirs']} hearthcp {status['ours']}")
    if lines:
        print(f"seed {seed}: {' '.join(opts)} src{slash} dst/")
        print("\n".join(lines[:12]))
        print(said["theirs"][-600:] + "---\n" + said["ours"][-600:])
    return not lines


def main():
    args = sys.argv[1:]
    way = args.pop(0) if args[0].startswith("--") else ""
    first, last = (int(n) for n in args.pop(0).split("-"))
    bad = [seed for seed in range(first, last + 1) if not one(seed, way, args)]
    if bad:
        sys.exit(f"{len(bad)} of {last - first + 1} differ: {bad[:40]}")


main()
