#!/bin/sh
# What the derive adds to `cargo check`: twenty structs of 10, of 15 and of 50 fields, with the derive and without, in a
# package outside the workspace that knows discobase by another name. Prints the fastest of several runs in milliseconds.
#
# Usage: discobase-derive/measure.sh [runs]
set -eu
runs=${1:-9}
root=$(cd "$(dirname "$0")/.." && pwd)
package=$(mktemp -d)
trap 'rm -rf "$package"' EXIT
mkdir "$package/src"
cat >"$package/Cargo.toml" <<TOML
[package]
name = "measured"
edition = "2024"

[dependencies]
renamed = { package = "discobase", path = "$root", default-features = false, features = ["derive"] }

[workspace]
TOML
cp "$root/Cargo.lock" "$package/Cargo.lock"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$root/target}/measure"

# source_of STRUCTS FIELDS DERIVE: of ten fields one each is a key, unique and bounded, defaulted, indexed. A struct
# of one derived column comes first, so that all measurements load the same crates.
source_of() {
    awk -v structs="$1" -v fields="$2" -v derive="$3" 'BEGIN {
        split("u64 String i64 bool Option<u64> f64 Option<String> u32 Vec<u8> i16", types, " ")
        split("key|unique, max_len = 100|default = 0||index|||||", options, "|")
        print "#![allow(dead_code)]\n#[derive(renamed::Table)] pub struct First { column: u64 }"
        for (s = 0; s < structs; s++) {
            if (derive) print "#[derive(renamed::Table)]"
            print "pub struct Table" s " {"
            for (f = 0; f < fields; f++) {
                option = options[f % 10 + 1]
                if (f >= 10 && option == "key") option = ""
                if (derive && option != "") print "    #[table(" option ")]"
                print "    pub field" f ": " types[f % 10 + 1] ","
            }
            print "}"
        }
    }' >"$package/src/lib.rs"
}

check() {
    cargo check --quiet --offline --manifest-path "$package/Cargo.toml" >"$package/log" 2>&1 || { cat "$package/log" && exit 1; }
}

fastest() {
    source_of 20 "$1" "$2"
    check
    best=999999
    run=0
    while [ "$run" -lt "$runs" ]; do
        # Cargo compares times; the content stays, and incremental compilation must not help.
        touch "$package/src/lib.rs"
        rm -rf "$CARGO_TARGET_DIR"/debug/incremental/measured-*
        start=$(date +%s%N)
        check
        took=$((($(date +%s%N) - start) / 1000000))
        [ "$took" -lt "$best" ] && best=$took
        run=$((run + 1))
    done
    echo "$best"
}

for fields in 10 15 50; do
    without=$(fastest "$fields" 0)
    with=$(fastest "$fields" 1)
    each=$(((with - without) * 100 / 20))
    echo "20 structs of $fields fields: $without ms without, $with ms with the derive: $((each / 100)).$(printf %02d $((each % 100))) ms each"
done
