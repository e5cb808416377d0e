//! Recipients and signers: who a message is for, who signed it, and which of them can be tried at all.
//!
//! Imports its neighbours and `envelope::Fault`. A recipient of an unknown algorithm or of the wrong shape is passed over
//! and harms no other (cose.md §3, key binding); a rule that concerns the whole message is the message's fault.

use std::ops::Range;

use super::Message;
use super::algorithm::{Algorithm, Kind, Management};
use super::headers::{Bucket, Headers, NOT_UNDERSTOOD};
use crate::envelope::Fault;
use crate::item::{Compat, CoseType, Departure, Reason};

/// Layers of recipients (cose.md §6).
pub(super) const LAYERS: usize = 3;

/// One recipient: `[protected, unprotected, ciphertext, ? recipients]` (RFC 9052 §5.1).
#[derive(Clone, Debug)]
pub struct Recipient {
    pub(super) protected: Range<usize>,
    pub(super) headers: Headers,
    /// None: nil.
    pub(super) ciphertext: Option<Range<usize>>,
    /// Those who hold the key that wraps this one's.
    pub(super) recipients: Vec<Self>,
    pub(super) fault: Option<Fault>,
}

/// One signer: `[protected, unprotected, signature]` (RFC 9052 §4.1).
#[derive(Clone, Debug)]
pub struct Signer {
    pub(super) protected: Range<usize>,
    pub(super) headers: Headers,
    pub(super) signature: Range<usize>,
    pub(super) fault: Option<Fault>,
}

/// A way into a message: the indexes of recipients from the outermost on, of one signer, or nothing for a message whose
/// key is named by the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Way {
    steps: [u8; LAYERS],
    length: u8,
}

impl Way {
    /// Through the body itself.
    pub const BODY: Self = Self { steps: [0; LAYERS], length: 0 };

    fn then(mut self, nth: usize) -> Self {
        // Recipients and signers are at most 64, layers of them at most `LAYERS`.
        if let (Some(step), Ok(nth)) = (self.steps.get_mut(usize::from(self.length)), u8::try_from(nth)) {
            *step = nth;
            self.length += 1;
        }
        self
    }

    /// Indexes, outermost first.
    pub fn steps(&self) -> &[u8] {
        &self.steps[..usize::from(self.length)]
    }
}

impl Recipient {
    /// The recipient's headers.
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// The encrypted key: no bytes where it is nil.
    pub const fn ciphertext(&self) -> &Range<usize> {
        const NOTHING: &Range<usize> = &(0..0);
        match &self.ciphertext {
            Some(ciphertext) => ciphertext,
            None => NOTHING,
        }
    }

    /// Recipients of this recipient.
    pub fn recipients(&self) -> &[Self] {
        &self.recipients
    }

    /// Why it is passed over, where it is.
    pub const fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// The registered algorithm; none where this reader does not know it.
    pub fn algorithm(&self) -> Option<&'static Algorithm> {
        Algorithm::of(self.headers.alg.as_ref()?.value?)
    }

    /// How it comes to the key above.
    pub fn management(&self) -> Option<Management> {
        match self.algorithm()?.kind {
            Kind::Management(management) => Some(management),
            _ => None,
        }
    }

    /// Why it cannot be tried, by its own shape.
    fn judge(&self, compat: &Compat) -> Option<Fault> {
        if self.headers.is_misunderstood() {
            return Some(NOT_UNDERSTOOD);
        }
        let Some(management) = self.management() else {
            return Some(Fault::unsupported("a recipient of an algorithm that this version does not know"));
        };
        if self.headers.alg.as_ref().is_some_and(|alg| alg.value == Some(-40) && !compat.allows(Departure::RsaOaepSha1))
        {
            return Some(Fault { reason: Reason::AlgNotAllowed, detail: "RSAES-OAEP with SHA-1 is off" });
        }
        self.shape(management)
    }

    /// The shape rules of each algorithm (RFC 9053 §6, RFC 8230 §3).
    fn shape(&self, management: Management) -> Option<Fault> {
        let protected_alg = self.headers.alg.as_ref().is_some_and(|alg| alg.bucket == Bucket::Protected);
        let nested = !self.recipients.is_empty();
        let detail = match &self.ciphertext {
            None => "a recipient without ciphertext",
            Some(key) if management.is_direct() && !key.is_empty() => "a ciphertext where the key is agreed",
            Some(key) if !management.is_direct() && key.is_empty() => "no ciphertext where a key is wrapped",
            _ if management.is_unprotected() && !self.protected.is_empty() => "a protected header where none may be",
            _ if nested && !matches!(management, Management::Wrap { .. }) => "recipients where none may be",
            _ if !management.is_unprotected() && !protected_alg => {
                let detail = "algorithm of a recipient in the unprotected header";
                return Some(Fault { reason: Reason::AlgNotProtected, detail });
            }
            _ if management == Management::Hpke => return self.headers.check_encapsulated().err(),
            _ if management.agrees() && !self.names_peer(management) => "no key to agree with",
            _ => return None,
        };
        Some(Fault::malformed(detail))
    }

    /// An ephemeral key where the sender's is ephemeral; a static one may come from the key record.
    const fn names_peer(&self, management: Management) -> bool {
        management.is_static() || self.headers.ephemeral.is_some()
    }
}

impl Signer {
    /// The signer's headers.
    pub const fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Range of the signature.
    pub const fn signature(&self) -> &Range<usize> {
        &self.signature
    }

    /// Why it is passed over, where it is.
    pub const fn fault(&self) -> Option<&Fault> {
        self.fault.as_ref()
    }

    /// The registered algorithm; none where this reader does not know it.
    pub fn algorithm(&self) -> Option<&'static Algorithm> {
        let algorithm = Algorithm::of(self.headers.alg.as_ref()?.value?)?;
        (algorithm.kind == Kind::Signature).then_some(algorithm)
    }

    pub(super) fn judge(&self, compat: &Compat) -> Option<Fault> {
        let Some(alg) = &self.headers.alg else { return Some(Fault::malformed("a signer without an algorithm")) };
        let Some(algorithm) = self.algorithm() else {
            return Some(Fault::unsupported("a signer of an algorithm that this version does not know"));
        };
        if self.headers.is_misunderstood() {
            return Some(NOT_UNDERSTOOD);
        }
        if alg.bucket != Bucket::Protected && !compat.allows(Departure::UnprotectedAlg) {
            return Some(super::NOT_PROTECTED);
        }
        super::signature_is_off(algorithm, self.signature.len(), compat)
    }
}

/// Judges each recipient of one layer, and those below; a fault of the whole message is returned.
pub(super) fn judge(recipients: &mut [Recipient], compat: &Compat) -> Result<(), Fault> {
    let alone = recipients.len() == 1;
    for recipient in recipients {
        judge(&mut recipient.recipients, compat)?;
        recipient.fault = recipient.judge(compat);
        if !alone && recipient.management().is_some_and(Management::is_direct) {
            return Err(Fault::malformed("a direct recipient that is not the only one"));
        }
    }
    Ok(())
}

impl Message {
    /// The ways that may be tried, in the order of the message.
    pub fn ways(&self) -> Vec<Way> {
        let mut ways = Vec::new();
        match self.structure() {
            CoseType::Encrypt | CoseType::Mac => descend(self.recipients(), Way::BODY, &mut ways),
            CoseType::Sign => {
                let usable = self.signers().iter().enumerate().filter(|(_, signer)| signer.fault.is_none());
                ways.extend(usable.map(|(nth, _)| Way::BODY.then(nth)));
            }
            CoseType::Encrypt0 | CoseType::Mac0 | CoseType::Sign1 => ways.push(Way::BODY),
        }
        ways
    }

    /// Why none of the ways may be tried: what stands against the first of them.
    pub(super) fn first_fault(&self) -> Option<Fault> {
        fn of(recipient: &Recipient) -> Option<Fault> {
            recipient.fault.clone().or_else(|| recipient.recipients.iter().find_map(of))
        }
        self.signers().iter().find_map(|signer| signer.fault.clone()).or_else(|| self.recipients().iter().find_map(of))
    }

    /// The recipients along a way, outermost first; none for a way without recipients.
    pub fn along(&self, way: Way) -> Vec<&Recipient> {
        let mut along = Vec::with_capacity(way.steps().len());
        let mut level = self.recipients();
        for step in way.steps() {
            let Some(recipient) = level.get(usize::from(*step)) else { break };
            along.push(recipient);
            level = &recipient.recipients;
        }
        along
    }

    /// The recipient at the end of a way.
    pub fn recipient(&self, way: Way) -> Option<&Recipient> {
        let mut level = self.recipients();
        let mut found = None;
        for step in way.steps() {
            let recipient = level.get(usize::from(*step))?;
            level = &recipient.recipients;
            found = Some(recipient);
        }
        found
    }

    /// The signer of a way.
    pub fn signer(&self, way: Way) -> Option<&Signer> {
        self.signers().get(usize::from(*way.steps().first()?))
    }

    /// The headers that name the key of a way.
    pub fn naming(&self, way: Way) -> &Headers {
        let signer = self.signer(way).map(Signer::headers);
        signer.or_else(|| self.recipient(way).map(Recipient::headers)).unwrap_or_else(|| self.headers())
    }
}

fn descend(recipients: &[Recipient], above: Way, ways: &mut Vec<Way>) {
    for (nth, recipient) in recipients.iter().enumerate().filter(|(_, recipient)| recipient.fault.is_none()) {
        let way = above.then(nth);
        match recipient.recipients.as_slice() {
            [] => ways.push(way),
            below => descend(below, way, ways),
        }
    }
}
