#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Mounts something on FOLDER/mnt by a server of FUSE, its child, and uses it.
# usage: serve-folder.sh FOLDER PREPARE SERVER FILLED [readonly]; PREPARE and SERVER are commands of a shell, run in FOLDER, where src has what is
# to be served and out takes what use-folder.py says; FILLED: a directory that is filled as well when it is mounted, or ""
set -e
export W="$1" HOME="$1"
cd "$W"

fill()
{
	mkdir -p "$1/sub"
	echo a note > "$1/sub/note"
	seq -f %015.0f 4096 > "$1/data"
}

mkdir mnt src
fill src
eval "$2"
{ eval "$3"; } > server.out 2>&1 < /dev/null &
until mountpoint -q mnt; do
	kill -0 $! || { cat server.out >&2; exit 1; }
	sleep 0.05
done
[ -z "$4" ] || fill "$4"
exec /usr/bin/python3 "$(dirname "$0")/use-folder.py" "$W/mnt" "$W/out" $5
