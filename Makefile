# SPDX-License-Identifier: GPL-2.0-or-later
#
# Thin front of the build: "make help" lists what it does.

MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
.DEFAULT_GOAL := all

# KERNEL=6.1 or 6.12 builds for (and tests with) Debian's kernel of that version, unpacked into a cache;
# without it, a build is for the running kernel and tests take 6.1.
KERNEL ?=
GUEST_KERNEL := $(or $(KERNEL),6.1)
PREFIX ?= /usr/local
DESTDIR ?=
userspace := $(patsubst %/Makefile,%,$(wildcard userspace/Makefile userspace/*/Makefile))

help: ## show this
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='|' read -r name text; do printf '  make %-14s %s\n' "$$name" "$$text"; done

all: module $(userspace) ## build the module (KERNEL=6.1|6.12, else the running kernel) and the programs

deps: ## install the Debian packages that are missing
	@tests/deps

module:
	@tests/deps build
	@tests/vm/module.sh $(or $(KERNEL),running)

$(userspace):
	@$(MAKE) -C $@ all

demo: ## a cached LUN, end to end, in a guest with two NUMA nodes
	@tests/deps build check
	@tests/vm/module.sh $(GUEST_KERNEL)
	@KERNEL=$(GUEST_KERNEL) tests/vm/demo

check: ## all tests: on the host, then in guests (KERNEL=, default 6.1)
	@tests/deps build check
	@tests/vm/module.sh $(GUEST_KERNEL)
	@tests/check unit $(GUEST_KERNEL)

check-unit: ## the tests that run on the host
	@tests/deps build check
	@tests/check unit

check-vm: ## the tests in guests (KERNEL=, default 6.1)
	@tests/deps build check
	@tests/vm/module.sh $(GUEST_KERNEL)
	@tests/check $(GUEST_KERNEL)

check-kernels: ## all tests, the guests on both kernels
	@tests/deps build check
	@tests/vm/module.sh 6.1
	@tests/vm/module.sh 6.12
	@tests/check unit 6.1 6.12

check-debug: ## the tests in guests, on a kernel that finds mistakes (KASAN, lockdep, kmemleak, fault injection)
	@tests/deps build check debug
	@tests/vm/module.sh debug
	@tests/vm/run -k debug

check-races: ## the tests in guests, on a kernel that finds data races of the module (KCSAN)
	@tests/deps build check debug
	@tests/vm/module.sh kcsan
	@tests/vm/races

check-powercut: ## cut a guest's power N=100 times, and replay logs of devices: nothing that was acknowledged as durable may be lost (KERNEL=)
	@tests/deps build check powercut
	@tests/vm/module.sh $(GUEST_KERNEL)
	@tests/powercut/replay -k $(GUEST_KERNEL) --mutant
	@tests/powercut/replay -k $(GUEST_KERNEL)
	@tests/powercut/run -k $(GUEST_KERNEL) --mutant
	@tests/powercut/run -k $(GUEST_KERNEL) -n $(or $(N),100)

check-cycles: ## create, export, use, unexport, delete a LUN and unload the module CYCLES=500 times: no memory is left behind (KERNEL=)
	@tests/deps build check
	@tests/vm/module.sh $(GUEST_KERNEL)
	@tests/vm/vm -t 2n -k $(GUEST_KERNEL) --limit 36000 --idle 1800 -- tests/vm/guest/cycles $(or $(CYCLES),500)

check-reservations: ## two initiators' reservations with APTPL survive another boot (KERNEL=)
	@tests/deps build check
	@tests/vm/module.sh $(GUEST_KERNEL)
	@tests/vm/reservations/run -k $(GUEST_KERNEL)

check-wire: ## verified I/O over iSCSI and iSER on a wire that loses, delays, reorders and doubles packets, and is cut (KERNEL=)
	@tests/deps build check
	@tests/vm/module.sh $(GUEST_KERNEL)
	@tests/vm/run -k $(GUEST_KERNEL) tests/vm/rare/fabric-wire.sh

check-scsi: ## iscsi-test-cu in full, against every mode and the stock backstores
	@tests/deps build check uml
	@tests/vm/module.sh uml
	@tests/scsi/run

soak: ## everything together for HOURS=1, a fraction will do: verified I/O, faults of every kind, and a report (KERNEL=, also debug)
	@tests/deps build check $(if $(filter debug,$(KERNEL)),debug)
	@tests/vm/module.sh $(GUEST_KERNEL)
	@$(MAKE) -C userspace all
	@tests/soak/run -k $(GUEST_KERNEL) $(or $(HOURS),1)

bench-cache: ## hit ratios and hits per second of the cache core, to build/bench/cache.json
	@tests/bench/cache

bench-copy: ## the mover and its peers between two network namespaces (root; MATRIX=quick|full), to build/bench/copy.json
	@tests/deps build bench
	@$(MAKE) -C userspace all
	@tests/bench/copy

bench-lun: ## Hearth and its peers in a guest, timed and counted (MATRIX=quick|full), or on this host (HOST=1 DISK=), to build/bench/lun.json
	@tests/deps build check bench
	@KERNEL=$(GUEST_KERNEL) tests/bench/lun

bench-rdma: ## the mover and its peers over Soft-RoCE in a guest, to build/bench/rdma.json
	@tests/deps build check bench
	@$(MAKE) -C userspace all
	@KERNEL=$(GUEST_KERNEL) tests/bench/rdma

bench-rdma-counted: ## what the CPUs touch while a LUN is filled over RDMA, counted in a guest, to build/bench/rdma-counted.json
	@tests/deps build check bench
	@$(MAKE) -C userspace all
	@KERNEL=$(GUEST_KERNEL) tests/bench/rdma-counted

bench-uml: ## Hearth and its peers at native speed under User Mode Linux, to build/bench/uml.json
	@tests/deps build uml
	@tests/bench/uml

bench-wan: ## the mover and its peers on long and lossy paths, in a guest with netem, to build/bench/wan.json
	@tests/deps build check bench
	@$(MAKE) -C userspace all
	@KERNEL=$(GUEST_KERNEL) tests/bench/wan

bench-streams: ## 1 to 64 streams, and as many copies at once, between two network namespaces (root; MATRIX=quick|full), to build/bench/streams.json
	@tests/deps build bench
	@$(MAKE) -C userspace all
	@tests/bench/streams

bench-study: ## copies over RDMA on a long path, beside each other, TCP, UDP, loss and reordering, in a guest, to build/bench/study.json
	@tests/deps build check bench
	@$(MAKE) -C userspace all
	@KERNEL=$(GUEST_KERNEL) tests/bench/study

bench-report: ## every plot and table of the results there are, in one page: build/bench/report.html
	@tests/deps bench
	@tests/bench/report

vm: ## a shell in a guest (TOPOLOGY=2n, KERNEL=6.1)
	@tests/deps build check
	@tests/vm/module.sh $(GUEST_KERNEL)
	@tests/vm/vm -t $(or $(TOPOLOGY),2n) -k $(GUEST_KERNEL)

lint: ## every static check; no finding is accepted
	@tests/deps build lint
	@tests/lint/run

# targetcli must know the module's LUNs before there can be any: its part goes
# in first and comes out last.
install: ## install the module, its targetcli part and the man pages (PREFIX=, DESTDIR=)
	@tests/vm/module.sh $(or $(KERNEL),running)
	@for d in $(userspace); do $(MAKE) -C $$d install DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) || exit; done
	@tests/install add "$(or $(KERNEL),running)" "$(DESTDIR)" "$(PREFIX)"

uninstall: ## remove what install put there
	@tests/install remove "$(or $(KERNEL),running)" "$(DESTDIR)" "$(PREFIX)"
	@for d in $(userspace); do $(MAKE) -C $$d uninstall DESTDIR=$(DESTDIR) PREFIX=$(PREFIX) || exit; done

deb: ## Debian packages, the module by DKMS, to build/deb
	@tests/deps build deb
	@tests/package/build

check-deb: deb ## what is in the packages works (KERNEL=)
	@KERNEL=$(GUEST_KERNEL) tests/package/run

clean: ## remove everything built
	@for d in $(userspace); do $(MAKE) -C $$d clean || exit; done
	rm -rf build

.PHONY: help all deps module userspace $(userspace) demo check check-unit check-vm check-kernels check-debug check-powercut check-cycles check-races check-reservations check-scsi check-wire soak \
	bench-cache bench-copy bench-lun bench-rdma bench-rdma-counted bench-report bench-streams bench-study bench-uml bench-wan vm lint \
	install uninstall deb check-deb clean
