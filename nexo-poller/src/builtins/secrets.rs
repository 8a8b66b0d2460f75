use std::collections::HashMap;

use serde_json::Value;

use crate::contract::{PollContext, PollerError, at_path};

/// A text of the config with references to secrets in it: `Bearer ${tracker.token}` is the field `token` of the account that
/// the owning agent has on the channel `tracker` in the credentials file. `$${` is `${` itself.
pub(super) struct WithSecrets<'c>(pub(super) &'c str);

impl<'c> WithSecrets<'c> {
    /// Walks over the text: plain parts, and the channel and field of each reference.
    fn parts(&self) -> Result<Vec<Part<'c>>, String> {
        let (mut parts, mut rest) = (Vec::new(), self.0);
        while let Some(at) = rest.find("${") {
            if let Some(plain) = rest[..at].strip_suffix('$') {
                parts.extend([Part::Plain(plain), Part::Plain("${")]);
                rest = &rest[at + 2..];
                continue;
            }
            parts.push(Part::Plain(&rest[..at]));
            let inside = &rest[at + 2..];
            let (name, after) = inside.split_once('}').ok_or("a `${` has no `}`; for `${` itself write `$${`")?;
            let (channel, field) = name
                .split_once('.')
                .filter(|(channel, field)| !channel.is_empty() && !field.is_empty())
                .ok_or("a secret is written `${channel.field}`, of the agent's accounts in the credentials file")?;
            parts.push(Part::Secret { channel, field });
            rest = after;
        }
        parts.push(Part::Plain(rest));
        Ok(parts)
    }

    /// Whether the references are well formed.
    ///
    /// # Errors
    /// What is wrong, without the text.
    pub(super) fn check(&self) -> Result<(), String> {
        self.parts().map(|_| ())
    }

    /// The text with its secrets in place. `known` keeps the accounts that were asked for.
    ///
    /// # Errors
    /// [`PollerError::CredentialsMissing`] where the agent has no such account or field, and what the host returns.
    pub(super) async fn reveal(
        &self,
        ctx: &PollContext,
        known: &mut HashMap<String, Value>,
    ) -> Result<String, PollerError> {
        let mut text = String::new();
        for part in self.parts().map_err(PollerError::config)? {
            match part {
                Part::Plain(plain) => text.push_str(plain),
                Part::Secret { channel, field } => {
                    if !known.contains_key(channel) {
                        known.insert(channel.to_owned(), ctx.host.credentials_get(channel.to_owned()).await?);
                    }
                    let secret = known.get(channel).and_then(|account| at_path(account, field)).and_then(Value::as_str);
                    text.push_str(secret.ok_or_else(|| PollerError::CredentialsMissing {
                        channel: channel.to_owned(),
                        reason: format!("the account of agent `{}` there has no text `{field}`", ctx.agent_id),
                    })?);
                }
            }
        }
        Ok(text)
    }
}

enum Part<'c> {
    Plain(&'c str),
    Secret { channel: &'c str, field: &'c str },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_channel_and_a_field_and_anything_else_is_refused_without_its_text() {
        for good in ["", "plain", "Bearer ${tracker.token}", "$${not.one", "${a.b.c}${d.e}", "5 $ {x}"] {
            assert_eq!(WithSecrets(good).check(), Ok(()), "{good}");
        }
        for bad in ["${hunter2", "${}", "${hunter2}", "${.hunter2}", "${hunter2.}"] {
            let said = WithSecrets(bad).check().unwrap_err();
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
