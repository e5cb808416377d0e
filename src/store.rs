//! The store: everything that is kept, behind three handles on one writer. [`Intake`] takes what relays hand over,
//! [`Ledger`] gives out what is to be opened and concludes it, [`Reader`] answers questions.
//!
//! May import rusqlite, `item`, `guard::settled`, `guard::sequence`, `payload` types, tokio's channels, serde_json and
//! uuid. Not the keystore, nor anything that opens: what is kept here was judged elsewhere.
