# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of hearthctl for bash.
# shellcheck shell=bash disable=SC2207 # words come one by one on purpose

_hearthctl_luns() {
	local lun
	for lun in "${HEARTH_ROOT:-}"/sys/class/hearth/*; do
		[ ! -d "$lun" ] || echo "${lun##*/}"
	done
}

_hearthctl_value() {
	case $1 in
	mode=*) echo writethrough writeback writearound ;;
	home=*) echo touch stripe ;;
	dispatch=*) echo inline home auto ;;
	paused=*) echo 0 1 ;;
	esac
}

_hearthctl() {
	local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]:-} line key words=
	COMPREPLY=()
	# bash takes "key=value" for three words
	line=${COMP_LINE:0:COMP_POINT}
	key=${line##* }
	if [ "$COMP_CWORD" -eq 1 ]; then
		words='list show stats top warm drop set revoke --help'
	elif [[ $command = set && $key = *=* ]]; then
		words=$(_hearthctl_value "$key")
		[ "$word" != = ] || word=
	elif [[ $command = set && $COMP_CWORD -gt 2 ]]; then
		words='cache= cache_min= mode= home= dispatch= readahead= dirty= readonly= paused= pin= unpin='
		type compopt >/dev/null 2>&1 && compopt -o nospace 2>/dev/null
	else
		case $command in
		list) words=--json ;;
		show) words="--json $(_hearthctl_luns)" ;;
		stats) words="--json --openmetrics $(_hearthctl_luns)" ;;
		top) words="--delay= --count= $(_hearthctl_luns)" ;;
		warm|drop|set|revoke) [ "$COMP_CWORD" -ne 2 ] || words=$(_hearthctl_luns) ;;
		esac
	fi
	COMPREPLY=($(compgen -W "$words" -- "$word"))
}

complete -F _hearthctl hearthctl
