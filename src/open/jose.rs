//! Opening a JWE or JWS: one recipe for each key and way, and what its protected header proves once it holds.
//!
//! Imports its parent, `envelope`, `guard::admit`, `item`, `codec::inflate`, keystore operations and sha2.

use keystore::recipe::Authentic;
use keystore::{Keystore, OpenError};

use crate::codec::inflate;
use crate::envelope::jose::{self, Kind, Message, Place, Way};
use crate::envelope::{Binding, Claims, Envelope, Fault, Reading};
use crate::guard::Arrival;
use crate::guard::admit::jose::{Admitted, Attempt};
use crate::item::{Compat, ContentType, Format, Reason};
use crate::open::{Layer, Opened, Proof, ProvenLayer, Unopened, all_signers, each_holds, identity, read_inner};

mod find;
mod recipe;

pub(super) use find::find;

/// Most keys tried for one envelope: as many public-key operations (jose.md §6).
const TRIALS: usize = 8;
/// Most bytes of inflated plaintext (jose.md §6).
const INFLATED: usize = 256 * 1024;
/// CoAP Content-Format of SenML JSON: what the profile means where there is no cty (jose.md §9).
const SENML_JSON: u64 = 110;

/// Tries an admitted envelope under each of its keys. Of a JWS one signature suffices, or all that are known must
/// hold where the caller or the record of one of their keys says so.
pub(super) fn open(
    admitted: &Admitted,
    proof: Proof,
    keystore: &Keystore,
    reading: &Reading<'_>,
    arrival: &Arrival<'_>,
) -> Result<Layer, Unopened> {
    let message = admitted.message();
    if message.kind() == Kind::Jws && all_signers(arrival, admitted.attempts().iter().map(Attempt::key)) {
        each_holds(admitted.attempts(), Attempt::way, |attempt| recipe::run(message, attempt, keystore))?;
    }
    for attempt in admitted.attempts().iter().take(TRIALS) {
        match recipe::run(message, attempt, keystore) {
            Ok((cleartext, authentic)) => {
                let way = message.way(attempt.way()).ok_or(Unopened::AuthFailed)?;
                let authenticated = Authenticated { message, way, attempt, authentic };
                return authenticated.layer(cleartext, proof, keystore, reading, arrival);
            }
            Err(OpenError::Rejected) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Unopened::AuthFailed)
}

/// A layer that the strongroom found authentic, and how.
struct Authenticated<'a> {
    message: &'a Message,
    way: &'a Way,
    attempt: &'a Attempt,
    authentic: Authentic,
}

impl Authenticated<'_> {
    /// Its facts join the proof, and its content is an envelope again where cty says so.
    fn layer(
        self,
        cleartext: Vec<u8>,
        proof: Proof,
        keystore: &Keystore,
        reading: &Reading<'_>,
        arrival: &Arrival<'_>,
    ) -> Result<Layer, Unopened> {
        let content = content(self.message, cleartext).map_err(Unopened::Inner)?;
        match Message::nested(self.way) {
            Some(place) => {
                let parse = |compat: &Compat| {
                    Message::parse(&content, place, &Reading { compat, ..reading.within() }).map(Envelope::Jose)
                };
                let inner = read_inner(keystore, arrival, parse)?;
                Ok(Layer::Envelope(Box::new(inner), proof.and(self.proven(None))))
            }
            None => {
                let jwt = self.message.holds_claims(self.way);
                let jwt = jwt.then(|| jose::claims(&content)).transpose().map_err(Unopened::Inner)?;
                let identity = self.identity();
                Ok(Layer::Content(Opened { proof: proof.and(self.proven(jwt)), content, identity }))
            }
        }
    }

    fn proven(self, jwt: Option<Claims>) -> ProvenLayer {
        let Self { message, way, attempt, authentic } = self;
        let pk1 = way.headers().bound().filter(|_| authentic.proves_sender());
        let issued_at = pk1.and_then(|pk1| pk1.issued_at);
        let claimed = jwt.as_ref().and_then(|claims| claims.iat);
        let agrees = issued_at.is_none() || claimed.is_none_or(|claimed| Some(claimed) == issued_at);
        let claims = jwt.or_else(|| issued_at.map(|_| Claims::default()));
        ProvenLayer {
            management: way.key_management().map(|known| known.name),
            format: Format::Jose,
            structure: message.structure(),
            signed: authentic.algorithm().is_signature(),
            sequence: pk1.map(|pk1| pk1.sequence),
            kid_context: pk1.and_then(|pk1| pk1.kid_context.clone()),
            claims: claims.map(|claims| Claims { iat: claims.iat.or(issued_at), ..claims }),
            content_type: content_type(message, way, &authentic),
            countersignatures: Vec::new(),
            binding: Binding { fitting: attempt.binding().fitting && agrees, ..attempt.binding().clone() },
            authentic,
        }
    }

    /// What identifies a message: tenant, key, the signing input, or for what is encrypted AAD, IV and ciphertext
    /// (threats.md A2). Never the serialization, which a relay can change, and never a signature, which has many forms.
    fn identity(&self) -> [u8; 16] {
        let (message, key) = (self.message, self.authentic.key());
        let authenticated = message.authenticated(self.way);
        match message.kind() {
            Kind::Jwe => identity::of(key, &[&authenticated, message.iv(), message.content()]),
            Kind::Jws => identity::of(key, &[&authenticated]),
        }
    }
}

/// The payload, or the cleartext: inflated where the protected header says that it was deflated.
fn content(message: &Message, cleartext: Vec<u8>) -> Result<Vec<u8>, Fault> {
    match message.kind() {
        Kind::Jws => Ok(message.content().to_vec()),
        Kind::Jwe if !message.is_deflated() => Ok(cleartext),
        Kind::Jwe => inflate::raw(&cleartext, INFLATED).map_err(|error| match error {
            inflate::Error::TooLarge => Fault { reason: Reason::TooLarge, detail: "inflated content over the limit" },
            _ => Fault { reason: Reason::Malformed, detail: "content that is not one DEFLATE stream" },
        }),
    }
}

/// cty of the protected header, `application/` put back where it was left out (RFC 7515 §4.1.10).
fn content_type(message: &Message, way: &Way, authentic: &Authentic) -> Option<ContentType> {
    match way.headers().cty.as_ref().filter(|cty| cty.protected) {
        Some(cty) if cty.value.contains('/') => Some(ContentType::Media(cty.value.clone())),
        Some(cty) => Some(ContentType::Media(format!("application/{}", cty.value))),
        None if authentic.key().policy.strict_profile && message.place() != Place::InnerJwt => {
            Some(ContentType::Format(SENML_JSON))
        }
        None => None,
    }
}
