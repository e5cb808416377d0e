//! The structures that cryptography runs over (RFC 9052 §4.4, §5.3, §6.3; RFC 9053 §5.2): always from the bytes received.
//!
//! Imports its neighbours, `envelope::Binding` and minicbor.

use minicbor::Encoder;

use super::algorithm::{Kind, Management};
use super::{Message, Recipient, Way, verbatim};
use crate::envelope::Binding;
use crate::item::CoseType;

/// What the key record says of one party (RFC 9053 §5.2): identity, nonce, other.
#[derive(Clone, Copy, Debug, Default)]
pub struct Party<'a> {
    /// Who it is.
    pub identity: Option<&'a [u8]>,
    /// What makes a derivation unique.
    pub nonce: Option<&'a [u8]>,
    /// Anything else.
    pub other: Option<&'a [u8]>,
}

/// Inputs of a derivation that are not on the wire.
#[derive(Clone, Copy, Debug, Default)]
pub struct KdfInputs<'a> {
    /// The sender.
    pub party_u: Party<'a>,
    /// The receiver.
    pub party_v: Party<'a>,
    /// SuppPubInfo.other.
    pub pub_other: Option<&'a [u8]>,
    /// Whether SuppPrivInfo follows, which the strongroom adds.
    pub private: bool,
}

/// A party field on the wire is another than the key record's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contradiction;

impl Message {
    /// Sig_structure, Enc_structure or MAC_structure of a way, under `binding`.
    pub fn authenticated(&self, way: Way, binding: &Binding) -> Vec<u8> {
        let context = match self.structure() {
            CoseType::Encrypt => "Encrypt",
            CoseType::Encrypt0 => "Encrypt0",
            CoseType::Mac => "MAC",
            CoseType::Mac0 => "MAC0",
            CoseType::Sign => "Signature",
            CoseType::Sign1 => "Signature1",
        };
        let signer = self.signer(way).map(|signer| verbatim(self.slice(&signer.protected)));
        let payload = (!self.structure().encrypts()).then(|| self.content());
        let protected = self.body_protected();
        let sizes = [protected.len(), binding.aad.len(), signer.map_or(0, <[u8]>::len), payload.map_or(0, <[u8]>::len)];
        let mut out = Vec::with_capacity(48 + sizes.iter().sum::<usize>());
        let mut encoder = Encoder::new(&mut out);
        let elements = 3 + u64::from(signer.is_some()) + u64::from(payload.is_some());
        // Writing to a Vec does not fail.
        let _ = encoder.array(elements).and_then(|e| e.str(context)?.bytes(protected).map(|_| ()));
        if let Some(signer) = signer {
            let _ = encoder.bytes(signer);
        }
        let _ = encoder.bytes(&binding.aad);
        if let Some(payload) = payload {
            let _ = encoder.bytes(payload);
        }
        out
    }

    /// The body's protected bytes as they enter a structure.
    pub(super) fn body_protected(&self) -> &[u8] {
        verbatim(self.slice(&self.protected))
    }

    /// Number and key bits of what the key at the end of a way is derived for: the algorithm of the layer above, or the
    /// key wrap within the recipient's own (RFC 9053 §5.2).
    pub fn derived(&self, way: Way) -> Option<(i64, u64)> {
        let along = self.along(way);
        let recipient = along.last()?;
        if let Management::AgreeWrap { wrap, kek, .. } = recipient.management()? {
            return Some((i64::from(wrap), u64::from(kek) * 8));
        }
        let above = match along.iter().rev().nth(1) {
            Some(above) => above.algorithm()?,
            None => self.algorithm()?,
        };
        Some((above.id, above.key_bits()?))
    }

    /// COSE_KDF_Context of the recipient at the end of a way (RFC 9053 §5.2). Where SuppPrivInfo follows, its element is
    /// counted and left out. None of a way that derives nothing.
    pub fn kdf_context(&self, way: Way, inputs: &KdfInputs<'_>) -> Option<Result<Vec<u8>, Contradiction>> {
        let recipient = self.recipient(way)?;
        let (algorithm, bits) = self.derived(way)?;
        let protected = self.slice(&recipient.protected);
        let mut out = Vec::with_capacity(64 + protected.len() + inputs.pub_other.map_or(0, <[u8]>::len));
        let mut encoder = Encoder::new(&mut out);
        // Writing to a Vec does not fail.
        let _ = encoder.array(4 + u64::from(inputs.private)).and_then(|e| e.i64(algorithm).map(|_| ()));
        for (party, labels) in [(inputs.party_u, [-21, -22, -23]), (inputs.party_v, [-24, -25, -26])] {
            let _ = encoder.array(3);
            for (label, given) in labels.into_iter().zip([party.identity, party.nonce, party.other]) {
                if let Err(contradiction) = self.party_field(recipient, label, given, &mut encoder) {
                    return Some(Err(contradiction));
                }
            }
        }
        let _ = encoder
            .array(2 + u64::from(inputs.pub_other.is_some()))
            .and_then(|e| e.u64(bits)?.bytes(protected).map(|_| ()));
        if let Some(other) = inputs.pub_other {
            let _ = encoder.bytes(other);
        }
        Some(Ok(out))
    }

    /// One field: the wire's, else the record's, else nil.
    fn party_field(
        &self,
        recipient: &Recipient,
        label: i64,
        given: Option<&[u8]>,
        encoder: &mut Encoder<&mut Vec<u8>>,
    ) -> Result<(), Contradiction> {
        let wire = recipient.headers().party(label).map(|field| self.slice(field));
        let mut ours = Vec::new();
        if let Some(given) = given {
            let _ = Encoder::new(&mut ours).bytes(given);
        }
        let field = match (wire, given) {
            (Some(wire), Some(_)) if wire != ours => return Err(Contradiction),
            (Some(wire), _) => wire,
            (None, Some(_)) => &ours,
            (None, None) => &[0xf6],
        };
        encoder.writer_mut().extend_from_slice(field);
        Ok(())
    }

    /// Whether nothing makes a direct derivation unique: neither a salt nor a nonce of party U, on the wire or in the
    /// key record (RFC 9053 §6.1.2, §6.3.1). Key wraps are exempt, and so is a key agreed with an ephemeral key.
    pub fn repeats(&self, way: Way, salted: bool, nonced: bool) -> bool {
        let Some(recipient) = self.recipient(way) else { return false };
        let due = matches!(
            recipient.management(),
            Some(Management::DirectHkdf | Management::DirectHkdfAes | Management::Agree { fixed: true })
        );
        let headers = recipient.headers();
        due && !salted && !nonced && headers.salt().is_none() && headers.party(-22).is_none()
    }

    /// Recipient_structure of the recipient at the end of a way: the `info` of its HPKE (draft-ietf-cose-hpke). None where
    /// there is nothing that it brings a key for.
    pub fn hpke_info(&self, way: Way) -> Option<Vec<u8>> {
        let along = self.along(way);
        let (recipient, above) = along.split_last()?;
        let next = match above.last() {
            Some(above) => above.algorithm()?,
            None => self.algorithm()?,
        };
        let protected = verbatim(self.slice(&recipient.protected));
        let mut out = Vec::with_capacity(32 + protected.len());
        let mut encoder = Encoder::new(&mut out);
        // Writing to a Vec does not fail.
        let _ = encoder
            .array(4)
            .and_then(|e| e.str("HPKE Recipient")?.i64(next.id)?.bytes(protected)?.bytes(&[]).map(|_| ()));
        Some(out)
    }

    /// Whether the content is sealed to the receiver's public key itself.
    pub fn is_encapsulated(&self) -> bool {
        self.algorithm().is_some_and(|algorithm| algorithm.kind == Kind::Hpke)
    }

    /// Whether the content is encrypted without authentication.
    pub fn is_unauthenticated(&self) -> bool {
        self.algorithm().is_some_and(|algorithm| matches!(algorithm.kind, Kind::Cipher { .. }))
    }
}
