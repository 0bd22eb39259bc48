# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the host-side scripts of the harness share: places, messages.
# shellcheck shell=bash

HEARTH_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
HEARTH_CACHE=${HEARTH_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/hearth}
HEARTH_BUILD=${HEARTH_BUILD:-$HEARTH_TOP/build}
export HEARTH_TOP HEARTH_CACHE HEARTH_BUILD

# Debian keeps depmod, mkfs and friends where a user's PATH may not look.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
}

die() {
	say "$*"
	exit 1
}
