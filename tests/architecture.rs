//! A module uses only modules above it in `src/lib.rs`; the list there is the order.

#![expect(clippy::disallowed_methods, reason = "a test reads the sources where they are")]

use std::fs;
use std::path::{Path, PathBuf};

const ORDER: [&str; 13] = [
    "units",
    "config",
    "access",
    "disk",
    "camera",
    "record",
    "detect",
    "index",
    "media",
    "alerts",
    "web",
    "fake_camera",
    "app",
];

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The modules of this crate that a source names, comments aside.
fn named_modules(source: &str) -> Vec<String> {
    let mut named = Vec::new();
    for line in source.lines().filter(|line| !line.trim_start().starts_with("//")) {
        let mut rest = line;
        while let Some(at) = rest.find("crate::") {
            rest = &rest[at + "crate::".len()..];
            if let Some(group) = rest.strip_prefix('{') {
                let inner = group.split('}').next().unwrap_or(group);
                named.extend(
                    inner.split(',').filter_map(|part| part.split(':').next()).map(|part| part.trim().to_owned()),
                );
            } else {
                named.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
            }
        }
    }
    named
}

#[test]
fn a_module_uses_only_modules_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let place = |name: &str| ORDER.iter().position(|module| *module == name);
    let mut upward = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&src).expect("below src");
        let first = relative.components().next().expect("a name").as_os_str().to_string_lossy();
        let module = first.trim_end_matches(".rs").to_owned();
        if module == "lib" || module == "main" {
            continue;
        }
        let own = place(&module).unwrap_or_else(|| panic!("{module} is not in the list of modules"));
        let source = fs::read_to_string(&file).expect("a readable source");
        for used in named_modules(&source) {
            if place(&used).is_some_and(|theirs| theirs > own) {
                upward.push(format!("{} uses {used}", relative.display()));
            }
        }
    }
    assert!(upward.is_empty(), "upward imports:\n{}", upward.join("\n"));
}

#[test]
fn lib_rs_lists_the_modules_in_order() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("a readable lib.rs");
    let listed: Vec<_> = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let ordered: Vec<_> = ORDER.into_iter().filter(|module| listed.contains(module)).collect();
    assert_eq!(listed, ordered);
}
