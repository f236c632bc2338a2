#!/usr/bin/env bash
#
# make_tree.sh - make a tree of another Debian release with a PostgreSQL in it
#
# usage: test/matrix/make_tree.sh VERSION RELEASE TREE
#
# Needs root.  A tree that is complete is left as it is.  The mirror, and how
# to reach it, come from this machine's own apt configuration.  Exit status 3:
# the release does not have this PostgreSQL.
#
set -euo pipefail

version=$1
release=$2
tree=$3
here=$(cd "$(dirname "$0")" && pwd)

packages=(
	"postgresql-$version" "postgresql-server-dev-$version"
	gcc make libc6-dev libcurl4-openssl-dev libcjson-dev
	libmariadb-dev zlib1g-dev libzstd-dev liblz4-dev
	libipc-run-perl python3-venv ca-certificates curl
)
stamp="$release $(sha256sum "$0" | cut -c 1-16)"

# One at a time: two runs may want the same tree.
mkdir -p "$(dirname "$tree")"
exec 9>"$tree.lock"
flock 9

if [ "$(cat "$tree/dbmazz-tree" 2>/dev/null)" = "$stamp" ]; then
	echo "$tree is complete"
	exit 0
fi

inside()
{
	"$here/enter.sh" "$tree" root / env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
		LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "${proxies[@]}" "$@"
}

# ---- this machine's apt ----------------------------------------------------

. /etc/os-release
host_release=$VERSION_CODENAME

# "URI suite" of all binary package sources, of both formats
sources()
{
	local lists=(/dev/null) deb822=(/dev/null) file
	for file in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
		case $file in
			*.list) lists+=("$file") ;;
			*.sources) deb822+=("$file") ;;
		esac
	done
	{ cat "${lists[@]}" 2>/dev/null || true; } |
		sed -n 's/^deb  *\(\[[^]]*\] *\)\{0,1\}\([^ ]*\)  *\([^ ]*\) .*/\2 \3/p'
	awk -v RS= '
		{
			uris = suites = ""; deb = 0
			n = split($0, line, "\n")
			for (i = 1; i <= n; i++)
			{
				key = value = line[i]
				sub(/:.*/, "", key); sub(/^[^:]*:[ \t]*/, "", value)
				if (tolower(key) == "types" && value ~ /(^| )deb( |$)/) deb = 1
				if (tolower(key) == "uris") uris = value
				if (tolower(key) == "suites") suites = value
			}
			nu = split(uris, u, " "); ns = split(suites, s, " ")
			for (i = 1; deb && i <= nu; i++)
				for (j = 1; j <= ns; j++)
					print u[i], s[j]
		}' "${deb822[@]}"
}

mirror=$(sources | awk -v s="$host_release" '$2 == s { print $1; exit }')
security=$(sources | awk -v s="$host_release-security" '$2 == s { print $1; exit }')
[ -n "$mirror" ] || { echo "apt's sources name no mirror of $host_release"; exit 1; }

# debootstrap and the tree's tools know only the environment
proxies=()
for scheme in http https; do
	proxy=$(apt-config dump --format '%v%n' "Acquire::$scheme::Proxy" | head -n 1)
	[ -n "$proxy" ] || { name=${scheme}_proxy; proxy=${!name:-}; }
	[ -z "$proxy" ] || { proxies+=("${scheme}_proxy=$proxy"); export "${scheme}_proxy=$proxy"; }
done

# ---- the base --------------------------------------------------------------

rm -rf "$tree"
mkdir -p "$tree"
# A release younger than this machine's debootstrap is made as unstable is.
script=()
[ -e "/usr/share/debootstrap/scripts/$release" ] ||
	script=(/usr/share/debootstrap/scripts/sid)
keyring=$(ls /usr/share/keyrings/debian-archive-keyring.gpg 2>/dev/null || true)
debootstrap --variant=minbase --include=ca-certificates ${keyring:+--keyring="$keyring"} \
	"$release" "$tree" "$mirror" "${script[@]}"

# how apt reaches its mirrors, and whom this machine trusts
for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
	if grep -qsE '^[[:space:]]*Acquire::' "$file"; then
		cp -L "$file" "$tree/etc/apt/apt.conf.d/"
	fi
done
cp -a /etc/apt/auth.conf.d/. "$tree/etc/apt/auth.conf.d/" 2>/dev/null || true
[ ! -e /etc/pip.conf ] || cp /etc/pip.conf "$tree/etc/"
cp -L /etc/resolv.conf /etc/hosts "$tree/etc/"
if ls /usr/local/share/ca-certificates/*.crt >/dev/null 2>&1; then
	mkdir -p "$tree/usr/local/share/ca-certificates"
	cp -L /usr/local/share/ca-certificates/*.crt "$tree/usr/local/share/ca-certificates/"
	inside update-ca-certificates >/dev/null 2>&1
fi

# Nothing is started in there, no cluster is made, and dpkg need not be careful.
printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
chmod 755 "$tree/usr/sbin/policy-rc.d"
mkdir -p "$tree/etc/postgresql-common"
echo 'create_main_cluster = false' >"$tree/etc/postgresql-common/createcluster.conf"
cat >"$tree/etc/dpkg/dpkg.cfg.d/dbmazz" <<-'CONF'
	force-unsafe-io
	path-exclude=/usr/share/doc/*
	path-exclude=/usr/share/man/*
	path-exclude=/usr/share/locale/*
	path-exclude=/usr/lib/llvm-*/lib/*.a
CONF
echo 'Acquire::Languages "none";' >"$tree/etc/apt/apt.conf.d/99dbmazz"

# ---- the packages ----------------------------------------------------------

# Not every release has updates and security fixes of its own.
rm -f "$tree"/etc/apt/sources.list.d/*
base="deb $mirror $release main"
more="deb $mirror $release-updates main"
[ -z "$security" ] || more+=$'\n'"deb $security $release-security main"
printf '%s\n%s\n' "$base" "$more" >"$tree/etc/apt/sources.list"
if ! inside apt-get -qq -o APT::Update::Error-Mode=any update; then
	echo "$base" >"$tree/etc/apt/sources.list"
	inside apt-get -qq update
fi

if ! inside apt-cache show "postgresql-$version" >/dev/null 2>&1; then
	echo "$release has no postgresql-$version"
	rm -rf "$tree"
	exit 3
fi
inside apt-get -qq -y upgrade
inside apt-get -qq -y -o Dpkg::Use-Pty=0 --no-install-recommends install "${packages[@]}"
inside apt-get clean

inside "/usr/lib/postgresql/$version/bin/postgres" --version
echo "$stamp" >"$tree/dbmazz-tree"
