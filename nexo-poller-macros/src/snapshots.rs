use quote::quote;

use crate::pipeline::poller;

/// The expansion as a person would have written it.
fn pretty(arguments: proc_macro2::TokenStream, item: proc_macro2::TokenStream) -> String {
    let file = syn::parse2(poller(arguments, item)).unwrap();
    prettyplease::unparse(&file)
}

#[test]
fn a_poller_without_arguments_is_the_least_there_is() {
    insta::assert_snapshot!(pretty(
        quote!(kind = "jira"),
        quote!(
            async fn jira() -> Result<TickAck, PollerError> {
                Ok(TickAck::new())
            }
        )
    ));
}

#[test]
fn every_key_and_every_argument_has_its_place() {
    insta::assert_snapshot!(pretty(
        quote!(
            kind = "jira",
            publish = ["a.>"],
            subscribe = ["b.*"],
            lifecycle = "ephemeral",
            max_concurrent_ticks = 4,
            tick_timeout_secs = 9,
            plugin_id = "desk",
            name = "Desk",
            topic_prefix = "c.d",
            min_nexo_version = ">=0.3",
            main = false,
            crate = np
        ),
        quote!(
            /// Announces issues.
            pub async fn jira(ctx: &PollContext, Config(config): Config<Jira>) -> Result<TickAck, PollerError> {
                Ok(TickAck::new())
            }
        )
    ));
}

#[test]
fn a_mistake_leaves_the_function_a_struct_and_a_main() {
    insta::assert_snapshot!(pretty(
        quote!(kind = "Jira"),
        quote!(
            async fn jira() -> Result<TickAck, PollerError> {
                Ok(TickAck::new())
            }
        )
    ));
}
