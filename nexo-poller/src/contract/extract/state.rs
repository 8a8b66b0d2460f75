use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;
use std::future::{Future, ready};
use std::ops::Deref;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::FromTick;
use crate::contract::{PollContext, PollerError};

/// Warm state: built at the first tick that asks for it, then shared by every tick of the process. An HTTP client with
/// its connections, say. One value per type and process.
///
/// Nothing that must survive a restart belongs here; that is what [`Cursor<T>`](super::Cursor) is for.
#[derive(Debug)]
pub struct State<T>(pub Arc<T>);

/// How the value of a [`State<T>`] is made. Every `Default` type has it; write it by hand where building can fail:
///
/// ```
/// use nexo_poller::prelude::*;
///
/// struct Http { agent: String }
///
/// impl WarmState for Http {
///     async fn build() -> Result<Self, PollerError> {
///         let version = std::env::var("JIRA_AGENT").permanent("JIRA_AGENT is not set")?;
///         Ok(Self { agent: version })
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`State<{Self}>` does not know how to build a `{Self}`",
    label = "`{Self}` is built once per process",
    note = "derive `Default`, or implement `WarmState` for it if building it can fail"
)]
pub trait WarmState: Send + Sync + Sized + 'static {
    /// Builds the value, once a process. After an error the next tick tries again.
    ///
    /// # Errors
    /// Any [`PollerError`]; the tick ends with it.
    fn build() -> impl Future<Output = Result<Self, PollerError>> + Send;
}

#[diagnostic::do_not_recommend]
impl<T: Default + Send + Sync + 'static> WarmState for T {
    fn build() -> impl Future<Output = Result<Self, PollerError>> + Send {
        ready(Ok(T::default()))
    }
}

impl<T> State<T> {
    /// Wraps a value made by hand, for calling a poller function from a unit test.
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T> Clone for State<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

type WarmCell = Arc<OnceCell<Arc<dyn Any + Send + Sync>>>;

/// Every warm value of this process.
static PROCESS: LazyLock<WarmStates> = LazyLock::new(WarmStates::default);

tokio::task_local! {
    /// Those of a process that a test plays.
    static PLAYED: WarmStates;
}

/// The warm values of one process, by type. A test that plays several processes in one, or a process that dies and is
/// started again, gives each its own.
#[derive(Clone, Default)]
pub struct WarmStates(Arc<Mutex<HashMap<TypeId, WarmCell>>>);

impl WarmStates {
    /// Runs `work`, a tick as a rule, as if in a process whose warm values these are.
    pub async fn scope<F: Future>(&self, work: F) -> F::Output {
        PLAYED.scope(self.clone(), work).await
    }

    /// The values of the process that this task seems to run in.
    fn present() -> Self {
        PLAYED.try_with(Self::clone).unwrap_or_else(|_| PROCESS.clone())
    }
}

impl fmt::Debug for WarmStates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WarmStates").finish_non_exhaustive()
    }
}

impl<T: WarmState> FromTick<'_> for State<T> {
    async fn from_tick(_: &PollContext) -> Result<Self, PollerError> {
        let slot = {
            let states = WarmStates::present();
            let mut slots = states.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(TypeId::of::<T>()).or_default())
        };
        let value = slot.get_or_try_init(|| async { T::build().await.map(|value| Arc::new(value) as _) }).await?;
        Arc::clone(value).downcast::<T>().map(State).map_err(|_| {
            PollerError::permanent(format!("the warm state kept for {} is of another type", type_name::<T>()))
        })
    }
}
