# SPDX-License-Identifier: GPL-2.0-only
# Completion of crit for bash.
_crit()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=""

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		words="decode encode show info x --help --version"
	elif [[ ${COMP_WORDS[1]} == x ]]; then
		if ((COMP_CWORD == 2)); then
			mapfile -t COMPREPLY < <(compgen -d -- "$cur")
			return
		fi
		words="ps tree fds mems rss --svg"
	elif [[ $cur == -* && $prev != -[io] ]]; then
		case ${COMP_WORDS[1]} in
		decode) words="--in --out --pretty --help" ;;
		encode) words="--in --out --help" ;;
		show) words="--nopl --help" ;;
		esac
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -o filenames -F _crit crit
