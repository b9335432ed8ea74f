# SPDX-License-Identifier: BSD-3-Clause
#
# Sourced. The cache of what is large and made once: test kernels, the newer QEMU's root.
# An entry is a folder NAME-RECIPE-VERSION: RECIPE is a hash of the files that say how it is made,
# VERSION the package that it is made from. It is made in a temporary folder beside it and renamed
# when it is complete, so that a half-made one is never seen; one maker at a time by a lock file.
#
#	cache_open NAME FILE...		take the lock; FILE... make up the recipe
#	cache_recent			print an entry that needs no look at the package index
#	cache_any			print the newest entry of this recipe, whatever its version
#	cache_has VERSION		print the entry of this version
#	cache_temp			make the temporary folder: $cache_tmp
#	cache_publish VERSION		$cache_tmp/entry becomes the entry; print it
#	cache_close			drop what is old, let the lock go

cache_dir=${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/vfiokit
# An entry is looked up in the package index again after this many minutes, and dropped when
# nobody, of this checkout or another, has used it for as long as cache_idle says.
cache_fresh=$((7 * 24 * 60))
cache_idle=$((24 * 60))
cache_wait=3600

cache_say()
{
	printf '%s: %s\n' "$cache_name" "$*" >&2
}

cache_open()
{
	cache_name=$1
	shift
	mkdir -p "$cache_dir"
	cache_tmp=
	trap 'cache_abandon' EXIT
	trap 'exit 143' TERM
	trap 'exit 130' INT
	exec {cache_lock}>"$cache_dir/$cache_name.lock"
	if ! flock -n "$cache_lock"; then
		cache_say "another process is making it, waiting"
		if ! flock -w "$cache_wait" "$cache_lock"; then
			cache_say "the other process has not finished in $cache_wait s"
			return 1
		fi
	fi
	cache_recipe=$(cat -- "$@" | sha256sum | cut -c 1-12)
	# whoever holds the lock is the only maker: what lies here was left by one that was killed
	rm -rf -- "$cache_dir/$cache_name".tmp.*
}

# Newest first.
cache_entries()
{
	local entry

	while IFS= read -r entry; do
		printf '%s/%s\n' "$cache_dir" "${entry%/}"
	done < <(cd "$cache_dir" && ls -dt -- "$cache_name"-*-*/ 2>/dev/null)
}

cache_use()
{
	touch "$1/used"
	printf '%s\n' "$1"
}

cache_recent()
{
	local entry

	while IFS= read -r entry; do
		if [ -n "$(find "$entry/checked" -mmin "-$cache_fresh" 2>/dev/null)" ]; then
			cache_use "$entry"
			return
		fi
	done < <(cache_entries | grep -F "/$cache_name-$cache_recipe-")
	return 1
}

cache_any()
{
	local entry

	entry=$(cache_entries | grep -F "/$cache_name-$cache_recipe-") || return 1
	cache_use "${entry%%$'\n'*}"
}

cache_path()
{
	printf '%s/%s-%s-%s\n' "$cache_dir" "$cache_name" "$cache_recipe" "${1//[^A-Za-z0-9.+~]/_}"
}

cache_has()
{
	local entry

	entry=$(cache_path "$1")
	[ -d "$entry" ] || return 1
	touch "$entry/checked"
	cache_use "$entry"
}

cache_temp()
{
	cache_tmp=$(mktemp -d "$cache_dir/$cache_name.tmp.XXXXXX")
	chmod 755 "$cache_tmp"
	mkdir "$cache_tmp/entry"
}

cache_publish()
{
	local entry

	entry=$(cache_path "$1")
	touch "$cache_tmp/entry/checked"
	mv -T -- "$cache_tmp/entry" "$entry"
	cache_use "$entry"
}

cache_abandon()
{
	local running

	running=$(jobs -p)
	if [ -n "$running" ]; then
		# shellcheck disable=SC2086	# one word a process
		kill $running 2>/dev/null
		wait
	fi
	[ -z "$cache_tmp" ] || rm -rf -- "$cache_tmp"
	cache_tmp=
}

# One that was used today may belong to another checkout, or to a machine that is running now.
cache_close()
{
	local entry

	cache_abandon
	while IFS= read -r entry; do
		if [ -z "$(find "$entry/used" -mmin "-$cache_idle" 2>/dev/null)" ]; then
			cache_say "dropping ${entry##*/}"
			rm -rf -- "$entry"
		fi
	done < <(cache_entries)
	exec {cache_lock}>&-
}
