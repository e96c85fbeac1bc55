//! Long children of this machine, guarded: a **supervisor** process starts the child, owns all of its processes, and
//! ends them when the deadline passes unrenewed or nobody owns the child any more (`SEMANTICS.md` §5).
//!
//! Lives here: the supervisor's body ([`supervisor_main`], the hidden `muster __supervise FOLDER`), its folder, and
//! the owner's side ([`Launcher::start`], [`take_up`], [`Owned`]). Does not live here: what the child is
//! (`crate::ansible`), and what follows from its end (`muster-runs`).
//!
//! The idea: everything that matters is in a folder that outlives every process. Ownership is a file named after the
//! owner's fence, locked as long as the owner lives, with a deadline in it; the highest fence counts. So a new owner
//! needs nobody's consent, an old one that wakes up changes nothing, and the supervisor needs no clock but its own
//! machine's.

mod clock;
mod kin;
mod order;
mod owner;
mod record;
mod supervisor;
mod talk;

use std::time::Duration;

pub use order::{Launcher, Order};
pub use owner::{Found, Owned, Owner, Remaining, StartError, take_up};
pub use record::{Child, End, Folder, Lost, Process, Why, sweep};
pub use supervisor::supervisor_main;

pub(crate) use talk::NONSENSE;

/// A child that nobody owns is ended after so long; until then it may be adopted.
pub const ADOPTION_LIMIT: Duration = Duration::from_secs(20);
/// Between the polite and the hard end of a child.
pub const ENDING_LIMIT: Duration = Duration::from_secs(5);
/// After a deadline has passed no process of the child is left within so long: the supervisor's own tick, the polite
/// end, the hard end, and room for a busy machine.
pub const GONE_WITHIN: Duration = Duration::from_secs(10);
