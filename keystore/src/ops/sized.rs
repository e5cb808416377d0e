//! AES-GCM and AES-CCM with nonces and tags of the message's own sizes (RFC 5084): what CMS may name and the primitives of
//! the fast path do not take.

use aes::cipher::{BlockCipherEncrypt, BlockSizeUser};
use aes::{Aes128, Aes192, Aes256};
use aes_gcm::aead::array::ArraySize;
use aes_gcm::aead::consts::{U8, U9, U10, U11, U12, U13, U14, U15, U16};
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{AesGcm, Nonce};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use crate::key::Algorithm;
use crate::ops::cbc_mac::CbcMac;
use crate::ops::ctr;

const BLOCK: usize = 16;

/// One message: everything but the key and the additional data.
#[derive(Clone, Copy)]
pub(crate) struct Sealed<'a> {
    pub(crate) nonce: &'a [u8],
    pub(crate) ciphertext: &'a [u8],
    pub(crate) tag: &'a [u8],
}

/// The cleartext, if sizes are among the allowed ones and the tag holds.
pub(crate) fn open(algorithm: Algorithm, key: &[u8], aad: &[u8], sealed: Sealed<'_>) -> Option<Vec<u8>> {
    if algorithm.content()?.key != key.len() {
        return None;
    }
    match algorithm {
        _ if algorithm.is_ccm_sized() => ccm(key, aad, sealed),
        Algorithm::A128Gcm => gcm::<Aes128>(key, aad, sealed),
        Algorithm::A192Gcm => gcm::<Aes192>(key, aad, sealed),
        Algorithm::A256Gcm => gcm::<Aes256>(key, aad, sealed),
        _ => None,
    }
}

fn gcm<C>(key: &[u8], aad: &[u8], sealed: Sealed<'_>) -> Option<Vec<u8>>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit,
{
    match sealed.nonce.len() {
        8 => gcm_nonce::<C, U8>(key, aad, sealed),
        9 => gcm_nonce::<C, U9>(key, aad, sealed),
        10 => gcm_nonce::<C, U10>(key, aad, sealed),
        11 => gcm_nonce::<C, U11>(key, aad, sealed),
        12 => gcm_nonce::<C, U12>(key, aad, sealed),
        13 => gcm_nonce::<C, U13>(key, aad, sealed),
        14 => gcm_nonce::<C, U14>(key, aad, sealed),
        15 => gcm_nonce::<C, U15>(key, aad, sealed),
        16 => gcm_nonce::<C, U16>(key, aad, sealed),
        _ => None,
    }
}

/// Counter mode is its own inverse: encrypting the ciphertext decrypts it, encrypting that again gives the full tag, of
/// which the message's is the beginning.
fn gcm_nonce<C, N>(key: &[u8], aad: &[u8], sealed: Sealed<'_>) -> Option<Vec<u8>>
where
    C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16> + KeyInit,
    N: ArraySize,
{
    if !(12..=16).contains(&sealed.tag.len()) {
        return None;
    }
    let cipher = AesGcm::<C, N>::new_from_slice(key).ok()?;
    let nonce = <&Nonce<N>>::try_from(sealed.nonce).ok()?;
    let mut cleartext = sealed.ciphertext.to_vec();
    cipher.encrypt_inout_detached(nonce, aad, cleartext.as_mut_slice().into()).ok()?;
    let mut again = Zeroizing::new(cleartext.clone());
    let tag = cipher.encrypt_inout_detached(nonce, aad, again.as_mut_slice().into()).ok()?;
    held(cleartext, &tag, sealed.tag)
}

/// RFC 3610 §2.2, §2.3. The counter blocks begin with the one that masks the tag.
fn ccm(key: &[u8], aad: &[u8], sealed: Sealed<'_>) -> Option<Vec<u8>> {
    let Sealed { nonce, ciphertext, tag } = sealed;
    if !(7..=13).contains(&nonce.len()) || !matches!(tag.len(), 12 | 14 | 16) {
        return None;
    }
    let wide = 15 - nonce.len();
    let length = (ciphertext.len() as u64).to_be_bytes();
    let fits = wide >= 8 || (ciphertext.len() as u64) >> (8 * wide) == 0;
    if !fits {
        return None;
    }
    let mut counter = [0; BLOCK];
    counter[0] = wide as u8 - 1;
    counter[1..=nonce.len()].copy_from_slice(nonce);
    let mut first = counter;
    first[0] |= u8::from(!aad.is_empty()) << 6 | ((tag.len() as u8 - 2) / 2) << 3;
    first[BLOCK - wide..].copy_from_slice(length.get(8 - wide..)?);
    let mut masked = Zeroizing::new([&[0; BLOCK], ciphertext].concat());
    ctr::decrypt(key, &counter, &mut masked)?;
    let (mask, cleartext) = masked.split_at(BLOCK);
    let mut mac = CbcMac::new(key)?.mac_padded(&[&first, &of_aad(aad)?, cleartext]);
    mac.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    held(cleartext.to_vec(), &mac, tag)
}

/// The additional data with their length before them (RFC 3610 §2.2): nothing at all where there are none.
fn of_aad(aad: &[u8]) -> Option<Vec<u8>> {
    let length = match aad.len() {
        0 => Vec::new(),
        short @ 1..0xff00 => u16::try_from(short).ok()?.to_be_bytes().to_vec(),
        long => [&[0xff, 0xfe][..], &u32::try_from(long).ok()?.to_be_bytes()].concat(),
    };
    Some([&length, aad].concat())
}

/// The cleartext if its tag begins so; else it is wiped.
fn held(mut cleartext: Vec<u8>, whole: &[u8], tag: &[u8]) -> Option<Vec<u8>> {
    let begins = whole.get(..tag.len()).is_some_and(|begin| bool::from(begin.ct_eq(tag)));
    if begins {
        return Some(cleartext);
    }
    cleartext.zeroize();
    None
}
