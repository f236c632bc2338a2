# shellcheck shell=bash
#
# packages.sh - Debian packages that building and testing need (sourced)
#
# install_packages DESCRIPTION PACKAGE...
#	Installs what is missing, and upgrades what has a newer candidate.  Does
#	nothing, and quickly, when all is there.  Uses sudo if it must.
#

# everything but the server, on the machine itself
base_packages=(
	gcc make libc6-dev libcurl4-openssl-dev libcjson-dev
	libmariadb-dev zlib1g-dev libzstd-dev liblz4-dev
	clang-14 libclang-rt-14-dev
	libipc-run-perl python3-venv python3-dev shellcheck pg-bsd-indent binutils
	ca-certificates curl tar util-linux
)
matrix_packages=(debootstrap)

as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo -n "$@"
	else
		echo "root or sudo is needed for: $*" >&2
		return 1
	fi
}

# Names of those packages that are not there, or, of the server's, not in the
# version that apt would install.
wanted_packages()
{
	local current
	current=$(LC_ALL=C apt-cache policy "$@" 2>/dev/null | awk '
		/^[^ ].*:$/ { name = substr($1, 1, length($1) - 1) }
		$1 == "Installed:" { installed = $2 }
		$1 == "Candidate:" && installed != "(none)" &&
			(installed == $2 || name !~ /^postgresql/) { print name }')
	printf '%s\n' "$@" | grep -vxF -e "$current" || true
}

install_packages()
{
	local wanted log
	if ! command -v apt-get >/dev/null; then
		echo "this is no Debian machine: install what test/lib/packages.sh lists" >&2
		return 1
	fi
	mapfile -t wanted < <(wanted_packages "$@")
	[ ${#wanted[@]} -gt 0 ] || return 0

	echo "installing: ${wanted[*]}"
	log=$(mktemp)
	if ! fetch_packages "$@" </dev/null >"$log" 2>&1; then
		tail -n 40 "$log" >&2
		rm -f "$log"
		return 1
	fi
	rm -f "$log"
}

fetch_packages()
{
	local wanted
	as_root apt-get -qq update || return
	# the lists are new: look again
	mapfile -t wanted < <(wanted_packages "$@")
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
		-o Dpkg::Use-Pty=0 --no-install-recommends install "${wanted[@]}"
}
