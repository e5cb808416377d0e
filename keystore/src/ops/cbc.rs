//! CBC mode: AES on aws-lc-rs, triple DES, which it has only in a build of its own, on `des`. Nothing here notices a change.

use aes::cipher::{Array, BlockCipherDecrypt, KeyInit};
use aws_lc_rs::cipher::{AES_128, AES_192, AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use des::TdesEde3;
use subtle::{ConditionallySelectable, ConstantTimeEq, ConstantTimeGreater};

use crate::key::Algorithm;

/// Block of AES, bytes.
pub(crate) const AES_BLOCK: usize = 16;
/// Block of DES, bytes.
pub(crate) const DES_BLOCK: usize = 8;

/// A key in CBC mode.
pub(crate) enum Cbc {
    Aes(Box<DecryptingKey>),
    Des3(Box<TdesEde3>),
}

impl Cbc {
    /// None unless this is a CBC algorithm and `key` has its length.
    pub(crate) fn new(algorithm: Algorithm, key: &[u8]) -> Option<Self> {
        match algorithm {
            Algorithm::A128Cbc | Algorithm::A192Cbc | Algorithm::A256Cbc => {
                (algorithm.content()?.key == key.len()).then(|| Self::aes(key))?
            }
            Algorithm::Des3Cbc => TdesEde3::new_from_slice(key).ok().map(|key| Self::Des3(Box::new(key))),
            _ => None,
        }
    }

    /// AES of the key's length.
    pub(crate) fn aes(key: &[u8]) -> Option<Self> {
        let cipher = match key.len() {
            16 => &AES_128,
            24 => &AES_192,
            32 => &AES_256,
            _ => return None,
        };
        let key = UnboundCipherKey::new(cipher, key).and_then(DecryptingKey::cbc).ok()?;
        Some(Self::Aes(Box::new(key)))
    }

    /// Bytes of a block.
    pub(crate) const fn block(&self) -> usize {
        match self {
            Self::Aes(_) => AES_BLOCK,
            Self::Des3(_) => DES_BLOCK,
        }
    }

    /// Decrypts whole blocks in place, padding included. None for an IV of another length, and for what is no whole number
    /// of blocks.
    pub(crate) fn decrypt(&self, iv: &[u8], blocks: &mut [u8]) -> Option<()> {
        if iv.len() != self.block() || !blocks.len().is_multiple_of(self.block()) {
            return None;
        }
        match self {
            Self::Aes(key) => {
                let iv = DecryptionContext::Iv128(FixedLength::try_from(iv).ok()?);
                key.decrypt(blocks, iv).ok().map(drop)
            }
            Self::Des3(key) => {
                des(key, iv.try_into().ok()?, blocks);
                Some(())
            }
        }
    }
}

fn des(key: &TdesEde3, iv: [u8; DES_BLOCK], blocks: &mut [u8]) {
    let (mut before, (blocks, _)) = (iv, blocks.as_chunks_mut::<DES_BLOCK>());
    for block in blocks {
        let ciphertext = *block;
        key.decrypt_block(Array::cast_from_core_mut(block));
        block.iter_mut().zip(before).for_each(|(byte, before)| *byte ^= before);
        before = ciphertext;
    }
}

/// Bytes of the cleartext before its padding: 1 to `block` bytes, each of which says how many they are (RFC 5652 §6.3).
/// Every byte of the last block is looked at, and no branch is taken on one.
pub(crate) fn unpadded(cleartext: &[u8], block: usize) -> Option<usize> {
    let (&pad, last) = (cleartext.last()?, cleartext.len().checked_sub(block)?);
    let before_end = (0..u8::try_from(block).ok()?).rev();
    let wrong = cleartext[last..]
        .iter()
        .zip(before_end)
        .fold(0, |wrong, (byte, before_end)| wrong | u8::conditional_select(&0, &(byte ^ pad), pad.ct_gt(&before_end)));
    let too_long = pad.ct_gt(&u8::try_from(block).ok()?);
    let sound = wrong.ct_eq(&0) & !pad.ct_eq(&0) & !too_long;
    bool::from(sound).then(|| cleartext.len() - usize::from(pad))
}
