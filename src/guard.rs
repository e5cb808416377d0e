//! The guard: what may be tried, and what is proven.
//!
//! Before a layer authenticates, all in it is a claim: [`admit`] only says whether it may be tried. After all layers
//! authenticate, `settle` judges what is proven: sender, binding, freshness. No state moves here; once-only is a
//! property of storage. Imports `item` alone (its children say what they import).

pub mod sequence;
pub mod settled;
