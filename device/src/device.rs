//! A device that seals: its keys with the counters that they draw numbers from.
//!
//! Which counter a message draws from (profile.md §3): S the symmetric key's, P the signing key's, G both at once, in
//! step, because the gateway remembers a G message under both keys.

use alloc::vec::Vec;

use rand_core::TryCryptoRng;

use crate::error::SealError;
use crate::key::KidContext;
use crate::seal::{Options, Sealer, Shape};
use crate::sequence::{Number, Sequence, Storage};

/// A sealer with its sequence.
pub struct Device<S> {
    sealer: Sealer,
    counters: Counters<S>,
}

struct Counters<S> {
    storage: S,
    block: u64,
    symmetric: Option<Sequence>,
    signing: Option<Sequence>,
}

impl<S: Storage> Device<S> {
    /// Goes on where the storage says. `block` numbers are reserved at each store: 16 to 256 on a device, 1 where each
    /// message may be the last of its process.
    pub fn new(sealer: Sealer, storage: S, block: u64) -> Result<Self, SealError> {
        let mut counters = Counters { storage, block, symmetric: None, signing: None };
        counters.resume(&sealer)?;
        Ok(Self { sealer, counters })
    }

    /// Seals one reading under its next number. What cannot be sealed spends none.
    pub fn seal<R: TryCryptoRng + ?Sized>(
        &mut self,
        shape: Shape,
        content: &[u8],
        options: &Options,
        rng: &mut R,
    ) -> Result<Vec<u8>, SealError> {
        let plan = self.sealer.plan(shape, content, options)?;
        let number = self.counters.draw(shape)?;
        plan.seal(number, rng)
    }

    /// Draws the number of a message of this shape, for a format that seals it itself. It is spent, whatever comes of it.
    #[cfg(any(feature = "cms", feature = "jose"))]
    pub(crate) fn draw(&mut self, shape: Shape) -> Result<Number, SealError> {
        self.counters.draw(shape)
    }

    /// The number that the next message of this shape will have; none without the shape's key.
    pub fn next(&self, shape: Shape) -> Option<u64> {
        let next = |sequence: &Option<Sequence>| sequence.as_ref().map(Sequence::next);
        match shape {
            Shape::G => Some(next(&self.counters.symmetric)?.max(next(&self.counters.signing)?)),
            Shape::P => next(&self.counters.signing),
            Shape::S => next(&self.counters.symmetric),
        }
    }

    /// What it is bound to.
    pub const fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    /// Writes to another resource from now on.
    pub fn set_path(&mut self, path: Option<&str>) {
        self.sealer.path = path.map(Into::into);
    }

    /// Begins a new kid context: other derived keys, and counters of its own.
    pub fn begin(&mut self, kid_context: KidContext) -> Result<(), SealError> {
        self.sealer.kid_context = Some(kid_context);
        self.counters.resume(&self.sealer)
    }
}

impl<S: Storage> Counters<S> {
    fn resume(&mut self, sealer: &Sealer) -> Result<(), SealError> {
        let mut sequence = |kid| Sequence::resume(&mut self.storage, kid, sealer.kid_context.as_ref(), self.block);
        self.symmetric = sealer.symmetric.as_ref().map(|key| sequence(key.kid())).transpose()?;
        self.signing = sealer.signing.as_ref().map(|key| sequence(key.kid())).transpose()?;
        Ok(())
    }

    fn draw(&mut self, shape: Shape) -> Result<Number, SealError> {
        let storage = &mut self.storage;
        match (shape, &mut self.symmetric, &mut self.signing) {
            (Shape::G, Some(symmetric), Some(signing)) => {
                let number = signing.draw_from(storage, symmetric.next())?;
                symmetric.draw_from(storage, number.value())
            }
            (Shape::P, _, Some(signing)) => signing.draw(storage),
            (Shape::S, Some(symmetric), _) => symmetric.draw(storage),
            _ => Err(SealError::KeyMissing("a key")),
        }
    }
}

#[cfg(test)]
mod tests;
