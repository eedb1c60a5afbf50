#!/usr/bin/env bash
# Installs pixsearch on a board from the folder that this script lies in; needs no network.
# A release is complete and checked before it takes the place of the one before, which stays for --back.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: install.sh [--prefix DIR] [--no-service] [--back]

  --prefix DIR     where releases live (default: /opt/pixsearch)
  --no-service     no user, no unit: only the program, as in an image or for one person
  --back           return to the release before
TEXT
}

fail() { echo "install.sh: $1" >&2; exit "${2:-1}"; }
say() { echo "install.sh: $1" >&2; }

prefix=/opt/pixsearch service=yes back=no
while (($#)); do
    case $1 in
        --prefix) prefix=${2:?}; shift ;;
        --no-service) service=no ;;
        --back) back=yes ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift
done
kit=$(dirname "$(realpath "$0")")
python=${PYTHON:-python3.11}
mkdir -p "$prefix/releases"
prefix=$(realpath "$prefix")
[[ $service == no || $(id -u) == 0 ]] || fail "expected to run as root, for user and unit: use sudo, or --no-service"

point_to() {  # a link is replaced in one step
    ln -sfn "$1" "$prefix/$2.new" && mv -T "$prefix/$2.new" "$prefix/$2"
}

restart() {
    [[ $service == yes && -d /run/systemd/system ]] || return 0
    systemctl daemon-reload
    systemctl enable --quiet pixsearch.service
    systemctl restart pixsearch.service
}

if [[ $back == yes ]]; then
    [[ -e $prefix/previous ]] || fail "$prefix: no release before the present one"
    now=$(readlink "$prefix/current")
    point_to "$(readlink "$prefix/previous")" current
    point_to "$now" previous
    restart
    say "back at $(readlink "$prefix/current")"
    exit 0
fi

(cd "$kit" && sha256sum --check --quiet --strict SHA256SUMS >&2) || fail "$kit: files are damaged or missing: copy the kit again"
command -v "$python" >/dev/null || fail "expected $python, found none: apt install python3.11 python3.11-venv"
owner=()  # whose packs they are: this user's, or the service's
if [[ $service == yes ]]; then
    getent passwd pixsearch >/dev/null || useradd --system --home-dir /var/lib/pixsearch --shell /usr/sbin/nologin pixsearch
    for group in video audio render; do ! getent group "$group" >/dev/null || usermod -aG "$group" pixsearch; done
    owner=(env XDG_DATA_HOME=/var/lib XDG_CONFIG_HOME=/etc XDG_CACHE_HOME=/var/cache)
fi
release=releases/$(sha256sum "$kit/SHA256SUMS" | cut -c1-12)
extras=$(cat "$kit/EXTRAS")
if [[ ! -e $prefix/$release/complete ]]; then
    rm -rf "${prefix:?}/$release"
    trap '[[ -e $prefix/$release/complete ]] || rm -rf "${prefix:?}/$release"' EXIT
    say "installing $release"
    "$python" -m venv "$prefix/$release"
    bin=$prefix/$release/bin
    # one after another, all that the kit holds: what was added in place of another package has another name
    "$bin/python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps "$kit"/wheels/*.whl
    "$bin/pixsearch" model verify >&2 || fail "the model does not pass its check; the release before stays"
    for pack in "$kit"/packs/*; do
        [[ -f $pack ]] || continue
        "${owner[@]}" "$bin/pixsearch" pack install "$pack" >&2 || fail "$(basename "$pack"): not installed; the release before stays"
    done
    echo "$extras" >"$prefix/$release/complete"
fi
if [[ -e $prefix/current && $(readlink "$prefix/current") != "$release" ]]; then
    point_to "$(readlink "$prefix/current")" previous
fi
point_to "$release" current
for old in "$prefix"/releases/*; do  # the present release and the one before are kept
    [[ $old == "$prefix/$release" || $old == "$prefix/$(readlink "$prefix/previous" || true)" ]] || rm -rf "$old"
done
if [[ $service == yes ]]; then
    install -d -m 700 -o pixsearch -g pixsearch /var/lib/pixsearch /var/cache/pixsearch
    chown -R pixsearch: /var/lib/pixsearch /var/cache/pixsearch
    sed "s|/opt/pixsearch|$prefix|g" "$kit/pixsearch.service" >/etc/systemd/system/pixsearch.service.new
    mv /etc/systemd/system/pixsearch.service.new /etc/systemd/system/pixsearch.service
    restart
fi
say "$prefix/current/bin/pixsearch is ready"
