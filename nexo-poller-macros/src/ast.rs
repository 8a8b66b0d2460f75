use syn::{Attribute, Expr, ExprLit, ItemFn, Lit, Meta, Type};

/// The author's function, with what the expansion needs of it.
pub(crate) struct Function {
    pub(crate) item: ItemFn,
    /// The types of its arguments, in order; only filled where each is one.
    pub(crate) arguments: Vec<Type>,
    /// The first paragraph of its doc comment.
    pub(crate) doc: String,
    /// Its `#[cfg(…)]`s: what stands beside it must be there when it is.
    pub(crate) cfgs: Vec<Attribute>,
}

impl Function {
    pub(crate) fn new(item: ItemFn) -> Self {
        let doc = first_paragraph(&item.attrs);
        let cfgs = item.attrs.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect();
        Self { item, arguments: Vec::new(), doc, cfgs }
    }
}

fn first_paragraph(attributes: &[Attribute]) -> String {
    let mut paragraph = String::new();
    for attribute in attributes {
        let Meta::NameValue(pair) = &attribute.meta else { continue };
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &pair.value else { continue };
        if !pair.path.is_ident("doc") {
            continue;
        }
        // A `/** … */` comment is one attribute of many lines; an empty `///` has one, empty line.
        for line in text.value().split('\n').map(|line| line.trim().trim_start_matches('*').trim().to_owned()) {
            match (line.is_empty(), paragraph.is_empty()) {
                (true, true) => {}
                (true, false) => return paragraph,
                (false, first) => {
                    if !first {
                        paragraph.push(' ');
                    }
                    paragraph.push_str(&line);
                }
            }
        }
    }
    paragraph
}
