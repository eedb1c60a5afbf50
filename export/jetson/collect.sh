#!/usr/bin/env bash
# Fills a folder with all that install.sh needs on a board without network: wheels, their checksums, the installer.
# Run it on a machine of the board's kind (aarch64, or the image of the Dockerfile) with Python 3.11 and a compiler,
# since some packages are compiled.
set -euo pipefail

usage() {
    cat <<'TEXT'
usage: collect.sh [-o FOLDER] [--extras LIST] [--wheel FILE]... [--pack FILE]... [--from WHEELS]

  -o FOLDER        where to put the kit (default: jetson-kit); must not exist
  --extras LIST    extras of pixsearch that the board gets (default: voice,web; "none" for the core alone)
  --wheel FILE     a wheel to add, in place of one of the same package: onnxruntime-gpu, tensorrt
  --pack FILE      a signed archive of a knowledge pack, installed on the board
  --from WHEELS    a folder with wheels of all dependencies, instead of the package index
TEXT
}

fail() { echo "collect.sh: $1" >&2; exit "${2:-1}"; }

folder=jetson-kit extras=voice,web from='' added=() packs=()
while (($#)); do
    case $1 in
        -o) folder=${2:?} ;;
        --extras) extras=${2:?} ;;
        --wheel) added+=("${2:?}") ;;
        --pack) packs+=("${2:?}") ;;
        --from) from=$(realpath "${2:?}") ;;
        -h | --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift 2
done
here=$(dirname "$(realpath "$0")") root=$(realpath "$(dirname "$(realpath "$0")")/../..")
python=${PYTHON:-python3.11}
[[ ! -e $folder ]] || fail "$folder: expected a new folder, it exists: remove it, or name another with -o"
for file in "${added[@]}" "${packs[@]}"; do [[ -f $file ]] || fail "$file: no such file"; done

part=$folder.part
rm -rf "$part"
trap 'rm -rf "$part"' EXIT
mkdir -p "$part/wheels" "$part/packs"
source=(); [[ -z $from ]] || source=(--no-index --find-links "$from" --no-build-isolation)
mkdir "$part/source"  # a copy: what earlier builds left in the checkout would get into the wheel
cp -a "$root"/{apps,contract,edge,export,index,model,pixsearch,setup.cfg,pyproject.toml,README.md,LICENSE,NOTICE} "$part/source/"
wanted=$part/source; [[ $extras == none ]] || wanted="${wanted}[$extras]"
"$python" -m pip wheel --quiet --disable-pip-version-check "${source[@]}" --wheel-dir "$part/wheels" "$wanted"
rm -rf "$part/source"
for file in "${added[@]}"; do
    package=$(basename "${file%%-*}")
    rm -f "$part/wheels/$package"-*.whl
    [[ $package != onnxruntime_gpu ]] || rm -f "$part"/wheels/onnxruntime-*.whl  # they overwrite each other's files
    cp "$file" "$part/wheels/"
done
for file in "${packs[@]}"; do cp "$file" "$part/packs/"; done
echo "$extras" >"$part/EXTRAS"
cp "$here/install.sh" "$here/pixsearch.service" "$part/"
sums=$(cd "$part" && find . -type f -print0 | sort -z | xargs -0 sha256sum)
echo "$sums" >"$part/SHA256SUMS"
mv "$part" "$folder"
echo "$folder: $(find "$folder/wheels" -name '*.whl' | wc -l) wheels, $(du -sm "$folder" | cut -f1) MB" >&2
