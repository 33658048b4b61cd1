# SPDX-License-Identifier: GPL-2.0-only
# Completion of compel for bash.
_compel()
{
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} word words=""

	COMPREPLY=()
	case $prev in
	-f | --file | -o | --output)
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	-p | --prefix | -l | --log-level) return ;;
	esac
	if [[ $cur == -* ]]; then
		words="--compat --static --file --output --prefix --log-level --help --version"
	else
		words="includes cflags ldflags plugins libs hgen"
		for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
			case $word in
			plugins) words="fds" ;;
			includes | cflags | ldflags | libs | hgen) words="" ;;
			esac
		done
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -o filenames -F _compel compel
