# SPDX-License-Identifier: BSD-3-Clause
#
# Sourced. A private apt root: packages of other Debian releases (or architectures) are found,
# fetched and unpacked without touching the machine's own package lists or status file, and
# without root rights. The archive's address is taken from the machine's own configuration, so
# that a mirror or proxy set up there is used and none is written down here.
#
#	apt_root_init DIR [ARCH]		prepare an empty root below DIR
#	apt_root_source LABEL SUITE COMPONENT	add a suite of the archive labelled LABEL
#	apt_root_update				fetch the lists
#	apt_root_version PACKAGE		print the newest version there is
#	apt_root_closure PACKAGE...		print the package names that PACKAGE... needs
#	apt_root_fetch DIR PACKAGE...		download these packages' files into DIR

apt_root_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

apt_root_init()
{
	apt_root_dir=$1
	apt_root_arch=${2:-$(dpkg --print-architecture)}
	mkdir -p "$apt_root_dir"/{etc/preferences.d,etc/sources.list.d,lists/partial,cache/archives/partial}
	: >"$apt_root_dir/status"
	: >"$apt_root_dir/etc/sources.list"
	: >"$apt_root_dir/etc/preferences"
	apt_root_options=(
		-o "Dir::Etc::sourcelist=$apt_root_dir/etc/sources.list"
		-o "Dir::Etc::sourceparts=$apt_root_dir/etc/sources.list.d"
		-o "Dir::Etc::preferences=$apt_root_dir/etc/preferences"
		-o "Dir::Etc::preferencesparts=$apt_root_dir/etc/preferences.d"
		-o "Dir::State::lists=$apt_root_dir/lists"
		-o "Dir::State::status=$apt_root_dir/status"
		-o "Dir::Cache=$apt_root_dir/cache"
		-o "Dir::Cache::archives=$apt_root_dir/cache/archives"
		-o "APT::Architecture=$apt_root_arch"
		-o "APT::Architectures=$apt_root_arch"
		-o "APT::Install-Recommends=false"
		-o "APT::Sandbox::User="
		-o "Acquire::Languages=none"
		-o "Acquire::GzipIndexes=true"
		-o "Acquire::Retries=2"
		-o "Acquire::http::Timeout=30"
		-o "Acquire::https::Timeout=30"
	)
}

# The machine's own address of an archive, by the label in its Release file. A machine that has never
# fetched its lists knows no labels; there the path decides.
apt_root_mirror()
{
	local label=$1 found path

	found=$(apt-get indextargets --format '$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
		sed -n "s/^$label|//p")
	if [ -z "$found" ]; then
		case $label in
		Debian) path='/debian/' ;;
		Debian-Security) path='[/-]security/' ;;
		*) return 1 ;;
		esac
		found=$(apt-get update --print-uris 2>/dev/null |
			sed -n "s#^'\([^']*$path\)dists/.*#\1#p")
	fi
	[ -n "$found" ] || return 1
	printf '%s\n' "${found%%$'\n'*}"
}

apt_root_source()
{
	local label=$1 suite=$2 component=$3 uri

	if [ ! -r "$apt_root_keyring" ]; then
		echo "$apt_root_keyring is missing (package debian-archive-keyring)" >&2
		return 1
	fi
	if ! uri=$(apt_root_mirror "$label"); then
		echo "apt on this machine knows no archive labelled $label" >&2
		return 1
	fi
	printf 'deb [signed-by=%s arch=%s] %s %s %s\n' \
		"$apt_root_keyring" "$apt_root_arch" "$uri" "$suite" "$component" \
		>>"$apt_root_dir/etc/sources.list"
	# backports are "not automatic": without a pin the closure would be resolved against
	# the release proper and come out older than what was asked for
	printf 'Package: *\nPin: release n=%s\nPin-Priority: 500\n\n' "$suite" \
		>>"$apt_root_dir/etc/preferences"
}

apt_root_update()
{
	apt-get "${apt_root_options[@]}" -qq -o APT::Update::Error-Mode=any update >&2
}

apt_root_version()
{
	apt-cache "${apt_root_options[@]}" --no-all-versions show "$1" 2>/dev/null |
		sed -n 's/^Version: //p' | grep .
}

apt_root_closure()
{
	apt-get "${apt_root_options[@]}" -s -qq install "$@" | sed -n 's/^Inst \([^ ]*\) .*/\1/p' |
		sort -u | grep .
}

apt_root_fetch()
{
	local dir=$1

	shift
	mkdir -p "$dir"
	(cd "$dir" && apt-get "${apt_root_options[@]}" -qq download "$@" >&2)
}
