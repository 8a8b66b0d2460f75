use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};

use quote::{format_ident, quote};
use syn::{Item, UseTree, Visibility};

use crate::pipeline::poller;

/// Macros of the prelude. They have a namespace of their own, in which neither a function nor a struct hides them.
const MACROS: [&str; 3] = ["async_trait", "json", "poller"];

#[test]
fn a_function_name_that_hides_an_item_of_the_prelude_is_refused() {
    let prelude = prelude();
    assert!(prelude.contains("PollContext") && prelude.len() >= 20, "{prelude:?}");
    for item in prelude.iter().filter(|item| !MACROS.contains(&item.as_str())) {
        let function = format_ident!("{}", snake_case(item));
        let expansion = poller(quote!(kind = "jira"), quote!(async fn #function() -> Answer {})).to_string();
        let refusal = format!("would hide `{item}` of `nexo_poller::prelude`");
        assert!(
            expansion.contains(&refusal),
            "nexo_poller::prelude has `{item}`, which `async fn {function}` would hide: add it to PRELUDE in taken.rs \
             (or, if it is a macro, to MACROS in this test)"
        );
    }
}

#[test]
fn a_glob_of_the_prelude_stands_for_what_its_module_exports() {
    let items = exported(&library().join("contract/extract/mod.rs"));
    // One that is defined there, one that is re-exported, none that is private.
    assert!(items.contains("FromTick") && items.contains("JobConfig"), "{items:?}");
    assert!(!items.contains("PollContext"), "{items:?}");
}

fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../nexo-poller/src")
}

/// The name of every item of `nexo_poller::prelude`.
fn prelude() -> BTreeSet<String> {
    exported(&library().join("prelude.rs"))
}

/// What a module lets its users see.
fn exported(module: &Path) -> BTreeSet<String> {
    let text = read_to_string(module).unwrap_or_else(|error| panic!("{}: {error}", module.display()));
    let mut names = BTreeSet::new();
    for item in syn::parse_file(&text).unwrap().items {
        let (visibility, name) = match &item {
            Item::Use(item) => {
                if matches!(item.vis, Visibility::Public(_)) {
                    leaves(&item.tree, &mut Vec::new(), module, &mut names);
                }
                continue;
            }
            Item::Const(item) => (&item.vis, &item.ident),
            Item::Enum(item) => (&item.vis, &item.ident),
            Item::Fn(item) => (&item.vis, &item.sig.ident),
            Item::Mod(item) => (&item.vis, &item.ident),
            Item::Static(item) => (&item.vis, &item.ident),
            Item::Struct(item) => (&item.vis, &item.ident),
            Item::Trait(item) => (&item.vis, &item.ident),
            Item::TraitAlias(item) => (&item.vis, &item.ident),
            Item::Type(item) => (&item.vis, &item.ident),
            Item::Union(item) => (&item.vis, &item.ident),
            Item::Impl(_) => continue,
            other => panic!("{}: an item that this test cannot read: {}", module.display(), quote!(#other)),
        };
        if matches!(visibility, Visibility::Public(_)) {
            names.insert(name.to_string());
        }
    }
    names
}

/// The names that one `pub use` brings.
fn leaves(tree: &UseTree, path: &mut Vec<String>, module: &Path, names: &mut BTreeSet<String>) {
    match tree {
        UseTree::Path(tree) => {
            path.push(tree.ident.to_string());
            leaves(&tree.tree, path, module, names);
            path.pop();
        }
        UseTree::Name(tree) if tree.ident == "self" => names.extend(path.last().cloned()),
        UseTree::Name(tree) => {
            names.insert(tree.ident.to_string());
        }
        UseTree::Rename(tree) => {
            names.insert(tree.rename.to_string());
        }
        UseTree::Group(tree) => tree.items.iter().for_each(|tree| leaves(tree, path, module, names)),
        UseTree::Glob(_) => names.extend(exported(&file_of(path, module))),
    }
}

/// The file of the module that `path` names in the file `from`.
fn file_of(path: &[String], from: &Path) -> PathBuf {
    let beside = |file: &Path| {
        let folder = file.parent().unwrap();
        if file.file_stem().is_some_and(|stem| stem == "mod" || stem == "lib") {
            folder.to_owned()
        } else {
            folder.join(file.file_stem().unwrap())
        }
    };
    let (start, rest) = match path.split_first() {
        Some((first, rest)) if first == "crate" => (library(), rest),
        Some((first, rest)) if first == "self" => (beside(from), rest),
        Some((first, rest)) if first == "super" => (beside(from).parent().unwrap().to_owned(), rest),
        _ => panic!("{}: name the items of `{}` in place of a glob", from.display(), path.join("::")),
    };
    let folder = rest.iter().fold(start, |folder, module| folder.join(module));
    [folder.with_extension("rs"), folder.join("mod.rs")]
        .into_iter()
        .find(|file| file.exists())
        .unwrap_or_else(|| panic!("{}: no file for `{}`", from.display(), path.join("::")))
}

/// The function name whose struct is called `name`: `LlmMessage` → `llm_message`.
fn snake_case(name: &str) -> String {
    let mut function = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !function.is_empty() {
            function.push('_');
        }
        function.push(letter.to_ascii_lowercase());
    }
    function
}
