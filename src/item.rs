//! Leaf: the plain values that cross rooms. Nothing here decides anything, holds a key or does I/O.
//!
//! May import: std, serde, and jiff for the calendar (RFC 3339). Imports no room, so that each
//! room can speak of an item without learning of another room.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

mod compat;

pub use compat::{Compat, Departure};

/// An instant: milliseconds since 1970-01-01T00:00:00Z. Shown as RFC 3339 UTC with milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the Unix epoch; saturates.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This instant and `seconds` more; saturates.
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1000)))
    }

    /// Reads RFC 3339 text with an offset.
    pub fn parse(text: &str) -> Option<Self> {
        let instant: jiff::Timestamp = text.parse().ok()?;
        Some(Self(instant.as_millisecond()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Years beyond 9999 have no RFC 3339 form: shown at the calendar's end.
        let instant = jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        });
        write!(f, "{instant:.3}")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not an RFC 3339 time"))
    }
}

/// The family of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// CMS, RFC 5652.
    Cms,
    /// COSE, RFC 9052.
    Cose,
    /// JOSE, RFC 7515 and 7516.
    Jose,
}

impl Format {
    /// The name used in JSON and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cms => "cms",
            Self::Cose => "cose",
            Self::Jose => "jose",
        }
    }
}

/// The structure of a COSE message: its tag says it, or its media type or the caller (RFC 9052 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoseType {
    /// COSE_Encrypt, tag 96.
    Encrypt,
    /// COSE_Encrypt0, tag 16.
    Encrypt0,
    /// COSE_Mac, tag 97.
    Mac,
    /// COSE_Mac0, tag 17.
    Mac0,
    /// COSE_Sign, tag 98.
    Sign,
    /// COSE_Sign1, tag 18.
    Sign1,
}

impl CoseType {
    /// The name in RFC 9052.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Encrypt => "COSE_Encrypt",
            Self::Encrypt0 => "COSE_Encrypt0",
            Self::Mac => "COSE_Mac",
            Self::Mac0 => "COSE_Mac0",
            Self::Sign => "COSE_Sign",
            Self::Sign1 => "COSE_Sign1",
        }
    }

    /// Whether its content is ciphertext; else it stands in the clear, below a signature or MAC.
    pub const fn encrypts(self) -> bool {
        matches!(self, Self::Encrypt | Self::Encrypt0)
    }

    /// Whether signatures make it authentic.
    pub const fn signs(self) -> bool {
        matches!(self, Self::Sign | Self::Sign1)
    }
}

/// Sealed bytes exactly as found, and what the place said of their structure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The envelope; or bytes of an opaque place that are none, kept to be refused.
    pub bytes: Arc<[u8]>,
    /// Set only where the media type or the caller names it: then the message may be untagged.
    pub cose_type: Option<CoseType>,
}

/// What the relay says of an item. Nothing of it is proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Endpoint name, as the relay knows the device.
    pub endpoint: Option<String>,
    /// LwM2M gateway prefix (object 25), without slashes at its ends.
    pub prefix: Option<String>,
    /// Resource path, as given, prefix included.
    pub path: Option<String>,
    /// The relay's time for the item.
    pub time: Option<Timestamp>,
    /// The relay's own sequence number.
    pub seq: Option<u64>,
    /// The relay's own id of the item.
    pub id: Option<String>,
    /// Trailing text garbage was cut to find the envelope (relays.md §4 rule 4).
    pub repaired: bool,
}

/// One sealed byte string found in a delivery, and the claims beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The bytes.
    pub sealed: Sealed,
    /// What the relay says of them.
    pub claims: Claims,
}

/// Who handed a delivery over, and in whose name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The relay account's name.
    pub relay: Arc<str>,
    /// The tenant of that account; scopes every look-up.
    pub tenant: Arc<str>,
    /// The relay's policy lets an envelope through that nobody known stands behind.
    pub unauthenticated_sender: bool,
}

/// The row number of a taken item: grows in the order of taking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId(pub i64);

/// An item committed sealed, waiting to be opened (or held, and tried again).
#[derive(Clone, Debug)]
pub struct Taken {
    /// Its row.
    pub id: ItemId,
    /// Its receipt, as the relay has it.
    pub receipt: uuid::Uuid,
    /// Its place in the delivery, from 0.
    pub index: u32,
    /// Who handed it over.
    pub origin: Origin,
    /// When the delivery was committed.
    pub received_at: Timestamp,
    /// The bytes.
    pub sealed: Sealed,
    /// What the relay says of them.
    pub claims: Claims,
}

/// The answer to a relay: a committed delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// UUIDv7.
    pub receipt: uuid::Uuid,
    /// How many items it holds.
    pub items: u32,
}

/// How an envelope names the key that it needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyName {
    /// A certificate, by its issuer's Name in DER and the contents of its serial number (RFC 5652 §10.2.4).
    IssuerSerial {
        /// Issuer.
        #[serde(rename = "issuer_hex", with = "hex_bytes")]
        issuer: Vec<u8>,
        /// Serial number.
        #[serde(rename = "serial_hex", with = "hex_bytes")]
        serial: Vec<u8>,
    },
    /// A key identifier, 1–256 bytes (RFC 9052 §3.1, RFC 7515 §4.1.4).
    #[serde(rename = "kid_hex", with = "hex_bytes")]
    Kid(Vec<u8>),
    /// A certificate, by its subject key identifier (RFC 5280 §4.2.1.2).
    #[serde(rename = "ski_hex", with = "hex_bytes")]
    Ski(Vec<u8>),
    /// A certificate, by a hash of it (RFC 9360 §2).
    Thumbprint {
        /// COSE number of the hash.
        hash: i64,
        /// The hash.
        #[serde(rename = "value_hex", with = "hex_bytes")]
        value: Vec<u8>,
    },
}

impl KeyName {
    /// The key identifier, where it is one.
    pub fn kid(&self) -> Option<&[u8]> {
        match self {
            Self::Kid(kid) => Some(kid),
            Self::IssuerSerial { .. } | Self::Ski(_) | Self::Thumbprint { .. } => None,
        }
    }
}

/// What happened to an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The same authenticated content was opened before.
    Duplicate,
    /// Held too long or pushed out by a cap.
    Expired,
    /// No key yet, or a fault of ours with this one item.
    Held,
    /// Authenticated as a known sender, policy satisfied, concluded.
    Opened,
    /// Taken, not yet concluded.
    Pending,
    /// Not accepted, with a reason.
    Refused,
}

impl Verdict {
    /// The name used in JSON and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Duplicate => "duplicate",
            Self::Expired => "expired",
            Self::Held => "held",
            Self::Opened => "opened",
            Self::Pending => "pending",
            Self::Refused => "refused",
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// Why an item is refused or held: the closed list of the contract (§4), for operators only.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Reason {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)+
        }

        impl Reason {
            /// Every reason, in the order in which they are decided.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The name used in JSON and metrics.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The reason of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|reason| reason.as_str() == name)
            }
        }
    };
}

reasons! {
    /// A limit, before parsing.
    TooLarge = "too_large",
    /// Not a well-formed envelope.
    Malformed = "malformed",
    /// Well-formed, but of a structure, algorithm or version that is not implemented.
    Unsupported = "unsupported",
    /// A critical header that is not understood.
    CritNotUnderstood = "crit_not_understood",
    /// Algorithm outside the authenticated headers.
    AlgNotProtected = "alg_not_protected",
    /// Known key, but not for this: state, time, type, use, format or algorithm family.
    KeyNotUsable = "key_not_usable",
    /// Known algorithm that the key's policy excludes.
    AlgNotAllowed = "alg_not_allowed",
    /// A structure that the key's policy excludes.
    ShapeNotAllowed = "shape_not_allowed",
    /// A direct key derivation without anything that makes it unique.
    KdfNotUnique = "kdf_not_unique",
    /// This relay's failed openings for this key are used up.
    BudgetExhausted = "budget_exhausted",
    /// Tag, MAC, signature, key unwrap, padding: one name for the whole oracle family.
    AuthFailed = "auth_failed",
    /// Opens, but nobody known stands behind it.
    UnauthenticatedSender = "unauthenticated_sender",
    /// Device, endpoint, path, audience, inner and outer sequence or device differ.
    BindingMismatch = "binding_mismatch",
    /// A claim that policy requires is absent.
    ClaimMissing = "claim_missing",
    /// Older than the acceptance window.
    TooOld = "too_old",
    /// Issued beyond the clock skew that policy allows.
    FromFuture = "from_future",
    /// Content format or size against policy.
    ContentNotAllowed = "content_not_allowed",
    /// The same number, other content.
    SequenceReused = "sequence_reused",
    /// Out of order where policy is strict.
    OrderViolated = "order_violated",
    /// Held: no key for it yet.
    NoKey = "no_key",
    /// Held: a fault of ours with this one item.
    InternalError = "internal_error",
}

/// What opening established, from authenticated bytes alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proven {
    /// The device that authenticated; none where nobody known stands behind the message.
    pub sender: Option<String>,
    /// Id of the key that authenticated the sender.
    pub key: Option<String>,
    /// Its version.
    pub key_version: Option<u32>,
    /// Its kid.
    #[serde(rename = "kid_hex", with = "hex_option")]
    pub kid: Option<Vec<u8>>,
    /// Signature algorithm, as in the IANA registry.
    pub signature_alg: Option<String>,
    /// Content encryption or MAC algorithm.
    pub content_alg: Option<String>,
    /// Key agreement, wrap or transport algorithm.
    pub key_management_alg: Option<String>,
    /// Sequence number (Partial IV).
    pub sequence: Option<u64>,
    /// Boot epoch or key generation.
    #[serde(rename = "kid_context_hex", with = "hex_option")]
    pub kid_context: Option<Vec<u8>>,
    /// When the device says it sealed the message.
    pub issued_at: Option<Timestamp>,
    /// The application that the message was sealed for.
    pub audience: Option<String>,
    /// The resource path bound into the envelope.
    pub path: Option<String>,
    /// Countersignatures that hold.
    #[serde(default)]
    pub countersignatures: Vec<Countersigned>,
    /// What a JWT says beside; none where the content is no JWT.
    #[serde(default)]
    pub token: Option<Token>,
}

/// Claims of a JWT that are reported as they stand (RFC 7519 §4.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Issuer.
    pub iss: Option<String>,
    /// Subject.
    pub sub: Option<String>,
    /// When it expires.
    pub exp: Option<Timestamp>,
    /// Before when it is not to be used.
    pub nbf: Option<Timestamp>,
    /// Its id.
    pub jti: Option<String>,
}

/// One layer of an envelope, outermost first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerSummary {
    /// As in its standard: `COSE_Encrypt0`, `COSE_Sign1` …
    pub structure: String,
    /// Algorithm of the layer's content step.
    pub alg: Option<String>,
    /// The kid that opened it.
    #[serde(rename = "kid_hex", with = "hex_option")]
    pub kid: Option<Vec<u8>>,
    /// Countersignatures on the layer, checked or not.
    #[serde(default)]
    pub countersignatures: Vec<Countersigned>,
}

/// A countersignature (RFC 9338): it proves what it covers, and never who sent the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Countersigned {
    /// `body`, `recipient N`, `signer N`.
    pub on: String,
    /// Header label: 11 or 12, or 7 or 9 of the older form.
    pub label: i64,
    /// Signature algorithm, where it verified.
    pub alg: Option<String>,
    /// The kid that it names, or that it verified under.
    #[serde(rename = "kid_hex", with = "hex_option")]
    pub kid: Option<Vec<u8>>,
    /// The identity that its key proves.
    pub signer: Option<String>,
    /// Id of that key.
    pub key: Option<String>,
    /// Whether it holds; none where it was not checked: no key is known, or the older form is not asked for.
    pub verified: Option<bool>,
}

/// A run of sequence numbers, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First number.
    pub from: u64,
    /// Last number.
    pub to: u64,
}

/// What a message's content is, from authenticated bytes or from policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ContentType {
    /// CoAP Content-Format number.
    Format(u64),
    /// Media type.
    Media(String),
}

/// Bytes as lower-case hex text.
pub mod hex_bytes {
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes lower-case hex.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(bytes))
    }

    /// Reads hex of either case.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        hex::decode(text.as_bytes()).map_err(serde::de::Error::custom)
    }
}

/// Where a request comes from, as far as rates go. Of IPv6 the network counts: its holder has every address in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Source(IpAddr);

impl Source {
    /// Of an address.
    pub const fn new(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(_) => Self(ip),
            IpAddr::V6(ip) => Self(IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64))),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => write!(f, "{ip}"),
            IpAddr::V6(ip) => write!(f, "{ip}/64"),
        }
    }
}

/// Bytes as lower-case hex text, or null.
pub mod hex_option {
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes lower-case hex, or null.
    pub fn serialize<S: Serializer>(bytes: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => serializer.serialize_str(&hex::encode(bytes)),
            None => serializer.serialize_none(),
        }
    }

    /// Reads hex of either case, or null.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<std::borrow::Cow<str>>::deserialize(deserializer)?;
        text.map(|text| hex::decode(text.as_bytes()).map_err(serde::de::Error::custom)).transpose()
    }
}
