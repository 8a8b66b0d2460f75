use syn::{Expr, ExprLit, Lit, LitStr, Path};

use super::keys::example;
use crate::attr::{Entry, Value};
use crate::errors::Errors;

/// The values that keys take. Each says what it wanted, on the value that is something else.
impl Entry {
    pub(super) fn text(&self, errors: &mut Errors) -> Option<LitStr> {
        let value = self.value(errors)?;
        match value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.clone()),
            _ => self.refuse("a string literal", value, errors),
        }
    }

    pub(super) fn texts(&self, errors: &mut Errors) -> Vec<LitStr> {
        let Some(value) = self.value(errors) else { return Vec::new() };
        let Expr::Array(list) = value else {
            self.refuse::<()>("a list of string literals", value, errors);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for element in &list.elems {
            match plain(element) {
                Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => texts.push(text.clone()),
                other => {
                    self.refuse::<()>("a list of string literals", other, errors);
                }
            }
        }
        texts
    }

    /// A number from 1 to `most`.
    pub(super) fn number(&self, most: u32, unit: &str, errors: &mut Errors) -> Option<u32> {
        let value = self.value(errors)?;
        let out_of_range = || format!("`{}` must be 1 to {most}{unit}", self.key);
        match value {
            Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => {
                let number = number.base10_parse().ok().filter(|number| (1..=most).contains(number));
                if number.is_none() {
                    errors.on(value, out_of_range());
                }
                number
            }
            Expr::Unary(_) => {
                errors.on(value, out_of_range());
                None
            }
            _ => self.refuse(&format!("a number from 1 to {most}{unit}"), value, errors),
        }
    }

    pub(super) fn yes_or_no(&self, errors: &mut Errors) -> Option<bool> {
        let value = self.value(errors)?;
        match value {
            Expr::Lit(ExprLit { lit: Lit::Bool(yes), .. }) => Some(yes.value),
            _ => self.refuse("`true` or `false`", value, errors),
        }
    }

    pub(super) fn path(&self, errors: &mut Errors) -> Option<Path> {
        let value = self.value(errors)?;
        match value {
            Expr::Path(path) if path.qself.is_none() => Some(path.path.clone()),
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if text.parse::<Path>().is_ok() => text.parse().ok(),
            _ => self.refuse("a path", value, errors),
        }
    }

    fn value(&self, errors: &mut Errors) -> Option<&Expr> {
        let example = example(&self.key.to_string());
        match &self.value {
            Value::Of(value) => Some(plain(value)),
            Value::Missing => {
                errors.on(&self.key, format!("`{}` needs a value: `{example}`", self.key));
                None
            }
            Value::InParentheses(group) => {
                errors.on(group, format!("`{}` takes its value after `=`: `{example}`", self.key));
                None
            }
        }
    }

    fn refuse<T>(&self, wanted: &str, found: &Expr, errors: &mut Errors) -> Option<T> {
        let example = example(&self.key.to_string());
        errors.on(found, format!("`{}` takes {wanted}: `{example}`", self.key));
        None
    }
}

/// The expression without the invisible brackets that a `macro_rules!` variable comes in.
fn plain(mut value: &Expr) -> &Expr {
    while let Expr::Group(group) = value {
        value = &group.expr;
    }
    value
}
