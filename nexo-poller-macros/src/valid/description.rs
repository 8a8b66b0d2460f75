use syn::{Attribute, Expr, ExprLit, Lit, Meta};

/// The first paragraph of a doc comment, as one line.
pub(super) fn first_paragraph(attributes: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attribute in attributes {
        let Meta::NameValue(meta) = &attribute.meta else { continue };
        let Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) = &meta.value else { continue };
        if meta.path.is_ident("doc") {
            // A `/** … */` comment is one attribute of many lines, each with or without a star of its own.
            lines.extend(text.value().split('\n').map(|line| line.trim().trim_start_matches("* ").trim().to_owned()));
        }
    }
    let paragraph: Vec<_> =
        lines.into_iter().skip_while(|line| is_blank(line)).take_while(|line| !is_blank(line)).collect();
    paragraph.join(" ")
}

fn is_blank(line: &str) -> bool {
    line.is_empty() || line == "*"
}

#[cfg(test)]
mod tests {
    use quote::quote;
    use syn::parse::Parser;

    use super::first_paragraph;

    #[test]
    fn the_description_is_the_first_paragraph_on_one_line() {
        let table = [
            (quote!(#[doc = " One."]), "One."),
            (quote!(#[doc = " One"] #[doc = " sentence."] #[doc = ""] #[doc = " More."]), "One sentence."),
            (quote!(#[doc = ""] #[doc = " One."]), "One."),
            (quote!(#[doc = "\n * One\n * sentence.\n *\n * More.\n"]), "One sentence."),
            (quote!(#[doc(hidden)] #[inline]), ""),
            (quote!(), ""),
        ];
        for (attributes, expected) in table {
            let attributes = syn::Attribute::parse_outer.parse2(attributes).unwrap();
            assert_eq!(first_paragraph(&attributes), expected);
        }
    }
}
