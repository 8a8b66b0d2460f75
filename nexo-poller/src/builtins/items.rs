use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::contract::PollerError;

/// The largest item that is looked at. A message holds less.
const LARGEST_ITEM: usize = 1 << 20;
/// As many names of the answer are told where it has no list.
const NAMES: usize = 20;
const LONGEST_NAME: usize = 64;

/// The list of items in an answer. The answer is read once and never built: its items are left as the text that they are, and
/// built one at a time. What is over `most` is counted and not kept.
#[derive(Debug)]
pub(super) struct Items<'a>(Vec<&'a RawValue>);

impl<'a> Items<'a> {
    /// The list at `path` in the JSON text `answer`, of at most `most` items.
    ///
    /// # Errors
    /// Transient where the answer is not JSON, config where it has no list there, permanent where that is too long. None shows a
    /// value of the answer.
    pub(super) fn read(answer: &'a [u8], path: &str, most: usize) -> Result<Self, PollerError> {
        let mut found = Found { list: None, count: 0, names: Vec::new() };
        let steps: Vec<&str> = path.split('.').filter(|step| !step.is_empty()).collect();
        let mut json = serde_json::Deserializer::from_slice(answer);
        let at = At { steps: &steps, top: true, most, found: &mut found };
        at.deserialize(&mut json).and_then(|()| json.end()).map_err(|error| {
            // The parser's own words could show a piece of the answer.
            PollerError::transient(format!("the answer is not JSON (line {}, column {})", error.line(), error.column()))
        })?;
        let Found { list, count, names } = found;
        let list = list.ok_or_else(|| {
            let has = if names.is_empty() {
                "it is not an object".to_owned()
            } else {
                format!("it has {}", names.join(", "))
            };
            PollerError::config(format!("the answer has no list at `items_path: \"{path}\"`; {has}"))
        })?;
        if count > most {
            return Err(PollerError::permanent(format!(
                "the answer has {count} items, and {most} is the most that are told apart: ask the source for less at a time"
            )));
        }
        Ok(Self(list))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The item at `index`.
    ///
    /// # Errors
    /// Permanent where it is too large, transient where it nests too deep to be read.
    pub(super) fn get(&self, index: usize) -> Result<Value, PollerError> {
        let text = self.0.get(index).map_or("null", |item| item.get());
        let number = index + 1;
        if text.len() > LARGEST_ITEM {
            return Err(PollerError::permanent(format!(
                "item {number} of the answer has {} bytes, and {LARGEST_ITEM} is the most: ask the source for less of it",
                text.len()
            )));
        }
        serde_json::from_str(text).map_err(|_| {
            PollerError::transient(format!("item {number} of the answer cannot be read: it nests too deep"))
        })
    }
}

/// What was met on the way.
struct Found<'a> {
    list: Option<Vec<&'a RawValue>>,
    /// All items of the list, those that were not kept among them.
    count: usize,
    /// The names at the top of the answer.
    names: Vec<String>,
}

/// A place in the answer, `steps` above the list.
struct At<'s, 'f, 'a> {
    steps: &'s [&'s str],
    top: bool,
    most: usize,
    found: &'f mut Found<'a>,
}

impl<'a> DeserializeSeed<'a> for At<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for At<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut fields: M) -> Result<(), M::Error> {
        while let Some(name) = fields.next_key::<std::borrow::Cow<'a, str>>()? {
            if self.top && self.found.names.len() < NAMES {
                self.found.names.push(name.chars().take(LONGEST_NAME).collect());
            }
            match self.steps.split_first() {
                Some((step, steps)) if *step == name => {
                    // Of two fields of one name the last counts.
                    self.found.list = None;
                    fields.next_value_seed(At { steps, top: false, most: self.most, found: &mut *self.found })?;
                }
                _ => drop(fields.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut elements: S) -> Result<(), S::Error> {
        let Some((step, steps)) = self.steps.split_first() else {
            let (mut list, mut count) = (Vec::new(), 0);
            while list.len() < self.most
                && let Some(item) = elements.next_element::<&RawValue>()?
            {
                list.push(item);
                count += 1;
            }
            while elements.next_element::<IgnoredAny>()?.is_some() {
                count += 1;
            }
            (self.found.list, self.found.count) = (Some(list), count);
            return Ok(());
        };
        let mut left = step.parse::<usize>().ok();
        loop {
            let more = if left == Some(0) {
                elements
                    .next_element_seed(At { steps, top: false, most: self.most, found: &mut *self.found })?
                    .is_some()
            } else {
                elements.next_element::<IgnoredAny>()?.is_some()
            };
            if !more {
                return Ok(());
            }
            left = left.and_then(|left| left.checked_sub(1));
        }
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(answer: &str, path: &str) -> Result<Vec<Value>, String> {
        let items = Items::read(answer.as_bytes(), path, 3).map_err(|error| error.to_string())?;
        (0..items.len()).map(|index| items.get(index).map_err(|error| error.to_string())).collect()
    }

    #[test]
    fn the_list_is_found_at_its_path_and_its_items_are_what_they_are() {
        let item = json!({"a": [1, {"b": null}], "c": "\u{e9}\""});
        let (list, text) = (vec![item.clone(), json!(7)], json!([item, 7]).to_string());
        for (answer, path) in [
            (text.clone(), ""),
            (format!(" {text}\n"), ""),
            (format!("{{\"x\":[1,2,3,4],\"data\":{{\"y\":{{}},\"list\":{text}}},\"z\":1}}"), "data.list"),
            (format!("[0,[{text}]]"), "1.0"),
            (format!("{{\"a\":[1],\"a\":{text}}}"), "a"),
        ] {
            assert_eq!(read(&answer, path), Ok(list.clone()), "{answer}");
        }
        assert_eq!(read("[]", ""), Ok(vec![]));
    }

    #[test]
    fn what_is_no_list_says_what_there_is_and_what_is_no_json_says_where() {
        for (answer, path, said) in [
            (r#"{"items":[1],"next":2}"#, "", "it has items, next"),
            (r#"{"items":{"a":1}}"#, "items", "it has items"),
            ("null", "a.b", "it is not an object"),
            ("[[1]]", "1", "no list"),
            ("[[1]]", "x", "no list"),
            (r#"{"a":[1],"a":2}"#, "a", "no list"),
            ("[1,2", "", "not JSON (line 1, column 4)"),
            ("[1] 2", "", "not JSON"),
            ("", "", "not JSON (line 1, column 0)"),
            ("[1,2,3,4]", "", "4 items, and 3 is the most"),
        ] {
            let error = read(answer, path).unwrap_err();
            assert!(error.contains(said), "{answer}: {error}");
        }
        let many =
            format!("{{{}}}", (0..1000).map(|n| format!("\"{n}{}\":1", "x".repeat(100))).collect::<Vec<_>>().join(","));
        assert!(read(&many, "a").unwrap_err().len() < 20 * 70 + 100);
    }

    #[test]
    fn an_item_that_is_too_large_or_too_deep_is_refused_by_its_number() {
        let large = format!("[1,\"{}\"]", "x".repeat(LARGEST_ITEM));
        assert!(read(&large, "").unwrap_err().starts_with("item 2 of the answer has 1048578 bytes"));
        let deep = format!("[{}1{}]", "[".repeat(500), "]".repeat(500));
        assert_eq!(read(&deep, ""), Err("item 1 of the answer cannot be read: it nests too deep".to_owned()));
    }
}
