//! No import cycles among the files of a crate: each file can be read after the files that it imports.
//!
//! A file imports another one if its `use` lines or its code name an item that the other file defines. This holds even if
//! the item is named through a re-export (`pub use`) in a third file. The `pub use` itself is not an import.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{Mention, Module, mentions};
use super::sources::{Source, sources};

/// The imports of each module.
pub type Imports = BTreeMap<Module, BTreeSet<Module>>;

fn module_of(path: &str) -> Module {
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    if ["lib", "main"].contains(&path) { Module::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// The imports among the files of a crate.
pub fn imports(sources: &[Source]) -> Imports {
    let read = |source: &Source| {
        let module = module_of(&source.path);
        let found = mentions(&source.text, &module);
        (module, found)
    };
    // Beside a `lib.rs`, `main.rs` is a crate of its own, which nothing can import.
    let has_library = sources.iter().any(|source| source.path == "lib.rs");
    let modules: BTreeMap<Module, Vec<Mention>> =
        sources.iter().filter(|source| !(has_library && source.path == "main.rs")).map(read).collect();
    let found = modules.iter().map(|(module, found)| {
        let used = found.iter().filter(|mention| mention.reexported_as.is_none());
        let targets = used.map(|mention| definition(&mention.path, &modules)).filter(|target| target != module);
        (module.clone(), targets.collect())
    });
    found.collect()
}

/// The module that defines the item of a path.
fn definition(path: &[String], modules: &BTreeMap<Module, Vec<Mention>>) -> Module {
    let length = (0..=path.len()).rev().find(|length| modules.contains_key(&path[..*length])).unwrap_or_default();
    let (module, rest) = path.split_at(length);
    let passed_on = rest.first().and_then(|name| {
        let mut passed_on = modules[module].iter().filter(|mention| mention.reexported_as.as_ref() == Some(name));
        passed_on.find(|mention| mention.path != path[..=length])
    });
    match passed_on {
        Some(mention) => definition(&[&mention.path, &rest[1..]].concat(), modules),
        None => module.to_vec(),
    }
}

/// The imports that are part of a cycle or lead from one cycle to another. They remain after repeatedly removing each module that
/// imports no other one, or that no other one imports.
fn cycles(mut imports: Imports) -> Vec<String> {
    loop {
        let before = imports.len();
        let imported: BTreeSet<Module> = imports.values().flatten().cloned().collect();
        imports.retain(|module, targets| !targets.is_empty() && imported.contains(module));
        let left: BTreeSet<Module> = imports.keys().cloned().collect();
        for targets in imports.values_mut() {
            targets.retain(|target| left.contains(target));
        }
        if imports.len() == before {
            break;
        }
    }
    let shown = |(module, targets): (&Module, &BTreeSet<Module>)| {
        let targets: Vec<String> = targets.iter().map(|target| target.join("::")).collect();
        format!("{} imports {}", module.join("::"), targets.join(", "))
    };
    imports.iter().map(shown).collect()
}

#[test]
fn no_import_cycles_among_the_files_of_a_crate() {
    for folder in ["src", "crates/devstack/src", "crates/proofs/src", "crates/provider-sim/src", "crates/rule-tools/src", "xtask/src"] {
        let found = cycles(imports(&sources(folder)));
        assert!(found.is_empty(), "{folder}:\n{}", found.join("\n"));
    }
}

fn planted(files: &[(&str, &str)]) -> Vec<String> {
    let source = |(path, text): &(&str, &str)| Source { path: (*path).to_owned(), text: (*text).to_owned() };
    cycles(imports(&files.iter().map(source).collect::<Vec<_>>()))
}

#[test]
fn a_cycle_is_found_however_it_is_written() {
    let upwards: [&[(&str, &str)]; 5] = [
        // A `use` line in one direction, and a qualified path in code in the other.
        &[("a.rs", "use crate::b::B; struct A;"), ("b.rs", "struct B; fn b() -> super::a::A {}")],
        // A `use` tree with an alias, and a path in the arguments of a macro.
        &[("a.rs", "use crate::{other, b::{self as c, d}};"), ("b.rs", r#"fn b() { println!("{}", crate::a::text()) }"#)],
        // Through a name that a `mod.rs` re-exports.
        &[("a.rs", "use crate::b::C;"), ("b/mod.rs", "mod c; pub use c::C;"), ("b/c.rs", "use crate::a::A; pub struct C;")],
        // Between a parent with code and its child.
        &[("a/mod.rs", "mod b; fn a() { b::b() }"), ("a/b.rs", "use super::a;")],
        // Through an import in the unit tests of a file.
        &[("a.rs", "use crate::b::B;"), ("b.rs", "struct B; #[cfg(test)] mod tests { use crate::a::A; }")],
    ];
    for files in upwards {
        let found = planted(&[files, &[("lib.rs", "mod a; mod b;"), ("d.rs", "use crate::a::A;")]].concat());
        assert_eq!(found.len(), 2, "{found:?}");
    }
}

#[test]
fn imports_in_one_direction_are_no_cycle() {
    let files = [
        ("lib.rs", "pub mod a; mod b; pub use b::B;"),
        ("a.rs", "//! Not crate::b::c::D.\nuse crate::B; #[cfg(test)] mod tests { use super::*; fn text() { \"crate::a\" } }"),
        ("b/mod.rs", "mod c; mod d; pub use c::B; use d::E;"),
        ("b/c.rs", "use super::d::E; use std::a::b; pub struct B;"),
        ("b/d.rs", "pub struct E; impl E { fn of<'a>() -> impl Sized + use<'a> { Self::of() } }"),
    ];
    assert_eq!(planted(&files), Vec::<String>::new());
}
