//! Imports point one way: each module of the engine uses only the modules that come before it, the local guild
//! shares no code with what it is the counterpart of, and the derive macros know the engine only as emitted paths.
#![expect(clippy::unwrap_used, reason = "a test that can't read the sources has failed")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The engine's modules: each may use those before it.
const ORDER: [&str; 29] = [
    "ids",
    "error",
    "env",
    "count",
    "value",
    "wire",
    "row",
    "patch",
    "field",
    "decode",
    "validate",
    "foreign",
    "schema",
    "batch",
    "seal",
    "transport",
    "codec",
    "tables",
    "lookup",
    "journal",
    "model",
    "checkpoint",
    "replay",
    "query",
    "session",
    "db",
    "orm",
    "private",
    "fuzzing",
];

fn rank(module: &str) -> Option<usize> {
    ORDER.iter().position(|known| *known == module)
}

/// What in `source`, the file `path` below `src`, points the wrong way: a sentence each, with file and line.
fn violations(path: &Path, source: &str) -> Vec<String> {
    let shown = path.display();
    let mut parts = path.iter().map(|part| part.to_string_lossy());
    let top = parts.next().unwrap_or_default();
    let module = top.strip_suffix(".rs").unwrap_or(&top);
    let Some(own) = rank(module) else {
        return vec![format!("{shown}: the module {module} has no place in the order of tests/layering.rs")];
    };
    // In a module's own file `super` is the crate; further down it is the module or a part of it.
    let is_root = parts.next().is_none_or(|part| part == "mod.rs");
    let roots: &[&str] = if is_root { &["crate::", "super::"] } else { &["crate::"] };
    let code = without_comments(source);
    let mut found = Vec::new();
    for (root, at) in roots.iter().flat_map(|root| code.match_indices(root).map(|(at, _)| (*root, at))) {
        let line = code[..at].matches('\n').count() + 1;
        for used in first_names(&code[at + root.len()..]) {
            match rank(&used) {
                Some(rank) if rank > own => found.push(format!(
                    "{shown}:{line}: {module} uses {used}, which comes after it; move what they share into a module \
                     before both"
                )),
                None if root == "crate::" => found.push(format!(
                    "{shown}:{line}: {module} uses crate::{used}, which is no module; name the module it is in"
                )),
                _ => {}
            }
        }
    }
    found
}

/// The code with what follows `//` blanked out, line by line.
fn without_comments(source: &str) -> String {
    let mut code = String::new();
    for line in source.lines() {
        let end = line.find("//").unwrap_or(line.len());
        let _ = writeln!(code, "{}", &line[..end]);
    }
    code
}

/// The names a path goes on with: one, or those at the top of a group in braces.
fn first_names(rest: &str) -> Vec<String> {
    let name =
        |text: &str| text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let (mut depth, mut start, mut names) = (0, 0, Vec::new());
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => {
                names.push(name(&group[start..at]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(name(&group[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    names.retain(|name: &String| !name.is_empty());
    names
}

/// All Rust files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    found.sort();
    found
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_engine_imports_one_way() {
    let src = root("discobase-core/src");
    let found: Vec<_> = files(&src)
        .iter()
        // The crate's root names everything, and a module's tests may look at it through whatever uses it.
        .filter(|path| **path != src.join("lib.rs") && !path.ends_with("tests.rs"))
        .filter(|path| !path.iter().any(|part| part == "tests"))
        .flat_map(|path| violations(path.strip_prefix(&src).unwrap(), &fs::read_to_string(path).unwrap()))
        .collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn the_local_guild_shares_nothing_with_its_counterpart() {
    let mut found = Vec::new();
    for path in files(&root("discobase-guild/src")).into_iter().chain([root("discobase-guild/Cargo.toml")]) {
        for (number, line) in (1..).zip(fs::read_to_string(&path).unwrap().lines()) {
            let code = line.split(['#', '/']).next().unwrap_or_default();
            let names =
                ["discobase-core", "discobase_core", "discobase-derive", "discobase_derive", "twilight"];
            for name in names.iter().filter(|name| code.contains(**name)) {
                found.push(format!("{}:{number}: the local guild uses {name}", path.display()));
            }
        }
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

/// What a simulation can't decide has one door: `env` starts work on other threads, and a choice at random between
/// ready branches is no choice of the seed's. Discord's own transport is not simulated.
#[test]
fn what_a_seed_cannot_decide_goes_through_the_environment() {
    let src = root("discobase-core/src");
    let simulated = |path: &PathBuf| !path.starts_with(src.join("transport"));
    for path in files(&src).into_iter().filter(simulated) {
        let code = without_comments(&fs::read_to_string(&path).unwrap());
        let shown = path.display();
        let blocking = code.contains("spawn_blocking") && !path.ends_with("src/env.rs");
        assert!(!blocking, "{shown}: go through `env::heavy` instead of `spawn_blocking`");
        for (at, _) in code.match_indices("select! {") {
            let biased = code[at + 9..].trim_start().starts_with("biased;");
            assert!(biased, "{shown}: begin `select!` with `biased;`, or its choice is random");
        }
    }
}

#[test]
fn the_derives_do_not_depend_on_the_engine() {
    let manifest = fs::read_to_string(root("discobase-derive/Cargo.toml")).unwrap();
    let found: Vec<_> = manifest.lines().filter(|line| line.trim_start().starts_with("discobase")).collect();
    assert!(found.is_empty(), "discobase-derive/Cargo.toml: {found:?}");
}

/// A test that finds nothing must be able to find something.
#[test]
fn what_points_the_wrong_way_is_named() {
    let lines = |path: &str, source: &str| -> Vec<String> {
        let found = violations(Path::new(path), source);
        found.iter().map(|one| one.split(", which").next().unwrap().to_owned()).collect()
    };
    assert_eq!(lines("wire.rs", "use crate::value::Value;\n//! crate::db\n"), [""; 0]);
    assert_eq!(lines("wire.rs", "\nuse crate::db::Database;"), ["wire.rs:2: wire uses db"]);
    assert_eq!(
        lines("codec/text.rs", "let x: crate::tables::Tables;"),
        ["codec/text.rs:1: codec uses tables"]
    );
    assert_eq!(
        lines("batch.rs", "use crate::{\n    ids::{Seq, RowId},\n    orm::Table, error::Error};"),
        ["batch.rs:1: batch uses orm"]
    );
    assert_eq!(lines("env.rs", "use super::value::Value;"), ["env.rs:1: env uses value"]);
    assert_eq!(lines("codec/text.rs", "use super::frame::Frame;"), [""; 0]);
    assert_eq!(lines("row.rs", "use crate::Database;"), ["row.rs:1: row uses crate::Database"]);
    assert_eq!(
        lines("cache.rs", ""),
        ["cache.rs: the module cache has no place in the order of tests/layering.rs"]
    );
}
