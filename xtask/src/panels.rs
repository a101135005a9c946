//! Whether panels show what happens: each is empty for nobody who looks at a service under load, and each moves when that is made to
//! happen which it is there for.
//!
//! What can be made to happen: `panels/causes`. What a query shows: `panels/shown`. What it showed before, and whether it shows something else
//! now: `panels/band`. In which order all of that is done: `panels/proof`. Which panels there are belongs to `dashboards`.

mod band;
mod causes;
mod proof;
mod shown;

pub use causes::Cause;
pub use proof::Proof;
