//! Opening a CMS message: one recipe for each key, and what its attributes prove once it holds.
//!
//! Imports its parent, `envelope`, `guard::admit`, `guard`, `item`, keystore operations and sha2.

use std::sync::Arc;

use keystore::recipe::Authentic;
use keystore::{Keystore, OpenError};
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::envelope::cms::{Around, Hash, Message, Structure, nested};
use crate::envelope::{Claims, Envelope, Reading};
use crate::guard::admit::cms::{Admitted, Attempt, Way, attributes, statement};
use crate::item::{ContentType, Format};
use crate::open::{Layer, Opened, Proof, ProvenLayer, Unopened, identity};

mod find;
mod recipe;

pub(super) use find::find;

/// Most private-key operations of a layer, and most public-key operations (cms.md §6).
const OPERATIONS: usize = 8;
/// CoAP Content-Format of a content that a binding gives none: SenML CBOR (cms.md §10).
const SENML_CBOR: u64 = 112;

/// Tries an admitted message. One recipient suffices; of the signers each must hold that is known. Below encryption that
/// notices no change there is one answer.
pub(super) fn open(
    admitted: &Admitted,
    proof: Proof,
    keystore: &Keystore,
    reading: &Reading<'_>,
) -> Result<Layer, Unopened> {
    let message = admitted.message();
    let opening = Opening { admitted, message, keystore };
    let opened = match message.structure() {
        Structure::CompressedData | Structure::Data | Structure::DigestedData => opening.keyless(proof),
        Structure::SignedData => opening.signed(proof),
        Structure::AuthEnvelopedData
        | Structure::AuthenticatedData
        | Structure::EncryptedData
        | Structure::EnvelopedData => opening.addressed(proof),
    };
    opened
        .and_then(|(content, proof)| layer(message, content, proof, reading))
        .map_err(|why| quiet(message.around(), why))
}

/// Whatever is wrong below encryption that notices no change, and no signature covers, is not authentic (cms.md §5).
fn quiet(around: &Around, why: Unopened) -> Unopened {
    match why {
        Unopened::Failed(_) | Unopened::Tampered(_) => why,
        _ if around.malleable => Unopened::AuthFailed,
        why => why,
    }
}

/// The content is a message again where its type says so, or where it is one as a whole.
fn layer(message: &Message, content: Vec<u8>, proof: Proof, reading: &Reading<'_>) -> Result<Layer, Unopened> {
    let signed = message.structure() == Structure::SignedData;
    let around = message.around_content(signed, reading.compat);
    match nested(message.content_type(), &content) {
        Some(nested) => {
            let inner = Message::parse_inner(&Arc::from(content), nested, around.clone(), reading);
            let inner = inner.map_err(|fault| quiet(&around, Unopened::Inner(fault)))?;
            Ok(Layer::Envelope(Box::new(Envelope::Cms(inner)), proof))
        }
        None => match around.due {
            Some(due) => Err(Unopened::Inner(due)),
            None => {
                let identity =
                    proof.identity.unwrap_or_else(|| identity::of_nobody(&[message.content_type(), &content]));
                Ok(Layer::Content(Opened { proof, content, identity }))
            }
        },
    }
}

/// Whether content has that digest.
fn has_digest(content: &[u8], hash: Hash, digest: &[u8]) -> bool {
    match hash {
        Hash::Sha256 => Sha256::digest(content).as_slice() == digest,
        Hash::Sha384 => Sha384::digest(content).as_slice() == digest,
        Hash::Sha512 => Sha512::digest(content).as_slice() == digest,
        // `envelope` passes no others over.
        Hash::Md5 | Hash::Sha1 | Hash::Sha224 | Hash::Sha3 => false,
    }
}

struct Opening<'a> {
    admitted: &'a Admitted,
    message: &'a Message,
    keystore: &'a Keystore,
}

impl Opening<'_> {
    /// What takes no key proves nobody: it leaves the proof as it is.
    fn keyless(&self, proof: Proof) -> Result<(Vec<u8>, Proof), Unopened> {
        let message = self.message;
        let content = match message.structure() {
            Structure::CompressedData => message.inflated().map_err(Unopened::Inner)?,
            _ => message.content().to_vec(),
        };
        match message.digest() {
            Some((hash, digest)) if !has_digest(&content, hash, digest) => Err(Unopened::AuthFailed),
            _ => Ok((content, proof.around(Format::Cms, message.structure().name()))),
        }
    }

    /// The first recipient that opens.
    fn addressed(&self, proof: Proof) -> Result<(Vec<u8>, Proof), Unopened> {
        self.is_as_digested(self.message.attributes(), self.message.digest_algorithm())?;
        for attempt in self.admitted.attempts().iter().take(OPERATIONS) {
            match recipe::run(self.message, attempt, proof.innermost(), self.keystore) {
                Ok((cleartext, authentic)) => {
                    let maced = self.message.structure() == Structure::AuthenticatedData;
                    let content = if maced { self.message.content().to_vec() } else { cleartext };
                    return Ok((content, self.proven(attempt, authentic, proof)));
                }
                Err(OpenError::Rejected) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(Unopened::AuthFailed)
    }

    /// Every signer that is known holds under one of its keys; the first of them is the layer's.
    fn signed(&self, proof: Proof) -> Result<(Vec<u8>, Proof), Unopened> {
        let attempts = self.admitted.attempts();
        let mut first = None;
        for (nth, signer) in self.message.signers().iter().enumerate() {
            let mut own = attempts.iter().filter(|attempt| attempt.way() == Way::Signer(nth)).peekable();
            if own.peek().is_none() {
                continue;
            }
            self.is_as_digested(signer.attributes(), signer.algorithm().map(|algorithm| algorithm.hash()))?;
            let held = own.take(OPERATIONS).find_map(|attempt| {
                match recipe::run(self.message, attempt, None, self.keystore) {
                    Err(OpenError::Rejected) => None,
                    result => Some(result.map(|(_, authentic)| (attempt, authentic))),
                }
            });
            let held = held.ok_or(Unopened::AuthFailed)??;
            first.get_or_insert(held);
        }
        let (attempt, authentic) = first.ok_or(Unopened::AuthFailed)?;
        Ok((self.message.content().to_vec(), self.proven(attempt, authentic, proof)))
    }

    /// The content has the digest that the attributes say (RFC 5652 §5.4, §9.3).
    fn is_as_digested(
        &self,
        attributes: Option<&crate::envelope::cms::Attributes>,
        hash: Option<Hash>,
    ) -> Result<(), Unopened> {
        let claimed = attributes.and_then(|attributes| self.message.claimed_digest(attributes, hash));
        match claimed {
            Some((hash, digest)) if !has_digest(self.message.content(), hash, digest) => Err(Unopened::AuthFailed),
            _ => Ok(()),
        }
    }

    /// The layer's facts join the proof. What attributes say counts where they prove a sender. A signing time is judged
    /// where a binding goes with it, or the policy asks for one; else it is reported (cms.md §3, §10).
    fn proven(&self, attempt: &Attempt, authentic: Authentic, mut proof: Proof) -> Proof {
        let (message, way) = (self.message, attempt.way());
        let proves = authentic.proves_sender();
        if proves || proof.identity.is_none() {
            proof.identity = Some(self.identity(way, &authentic));
        }
        let attributes = attributes(message, way).filter(|_| proves);
        let statement = statement(message, way).filter(|_| proves);
        let context = statement.and_then(|of| of.key_context.as_ref());
        let signed_at = attributes.and_then(|attributes| attributes.signing_time);
        let policy = &authentic.key().policy;
        let judged = statement.is_some() || policy.iat_required || policy.max_age_s.is_some();
        proof.and(ProvenLayer {
            format: Format::Cms,
            structure: message.structure().name(),
            signed: message.structure() == Structure::SignedData,
            management: attempt.management().map(|algorithm| algorithm.name()),
            binding: attempt.binding().clone(),
            countersignatures: Vec::new(),
            sequence: statement.and_then(|of| of.sequence),
            kid_context: context.map(|context| message.slice(context).to_vec()),
            claims: proves.then(|| Claims { iat: signed_at.filter(|_| judged), signed_at, ..Claims::default() }),
            content_type: statement.map(|of| ContentType::Format(of.content_format.unwrap_or(SENML_CBOR))),
            authentic,
        })
    }

    /// What identifies a message (cms.md §10): tenant, key, and what was authenticated. Never a signature, recipients or
    /// segments.
    fn identity(&self, way: Way, authentic: &Authentic) -> [u8; 16] {
        let (message, key) = (self.message, authentic.key());
        let what: Vec<Vec<u8>> = match (way, message.structure()) {
            (Way::Signer(nth), _) => match message.signers().get(nth).filter(|signer| signer.attributes().is_some()) {
                Some(signer) => vec![message.covered(signer).into_owned()],
                None => vec![message.content_type().to_vec(), message.content().to_vec()],
            },
            (_, Structure::AuthenticatedData) => vec![message.authenticated().into_owned()],
            _ => vec![message.encryption_identifier().to_vec(), message.aad(), message.content().to_vec()],
        };
        identity::of(key, &what.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }
}
