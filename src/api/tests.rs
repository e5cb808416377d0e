//! The API by its router, over a real store, keystore and opening's owner. Opened messages are concluded by hand, so that
//! these tests need no cryptography; refused and held ones are what the owner makes of the bytes.

mod contract;
mod deliver;
mod docs;
mod gate;
mod house;
mod operate;
mod read;
