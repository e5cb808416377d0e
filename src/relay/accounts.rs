//! Relay accounts: who may hand over, in which tenant's name, in which profile. They live in the store, so that this
//! side of the house needs no keystore: whoever plants a token's hash there gains only the right to hand over sealed
//! bytes.
//!
//! May import what `relay` may; `api` and the command line administer accounts through here.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::clock::Clock;
use crate::item::Origin;
use crate::relay::profiles::{self, Profile};
use crate::store::failure::Failure;
use crate::store::intake::{Account, Intake, Known};

/// The account may be named with its token in the path, by relays that can only set a URL.
const TOKEN_IN_PATH: &str = "token_in_path";
/// The relay's policy lets an envelope through that nobody known stands behind.
const UNAUTHENTICATED_SENDER: &str = "unauthenticated_sender";
/// Options of the account itself; all others are its profile's.
const OWN_OPTIONS: [&str; 2] = [TOKEN_IN_PATH, UNAUTHENTICATED_SENDER];

/// What an operator asks for.
#[derive(Clone, Debug)]
pub struct Request {
    /// 1–64 letters, digits, `.`, `_`, `-`: it stands in a URL.
    pub name: String,
    /// Whose deliveries these are.
    pub tenant: String,
    /// How bodies are read.
    pub profile: String,
    /// The account's options and the profile's.
    pub options: BTreeMap<String, String>,
}

/// A relay's token, shown once to whoever made the account. Only its SHA-256 is kept.
pub struct Token(String);

impl Token {
    /// The text to hand to the relay's operator.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Why there is no new account.
#[derive(Debug, thiserror::Error)]
pub enum Unmade {
    /// Not a name.
    #[error("a relay's name is 1 to 64 letters, digits, dots, underscores and hyphens")]
    Name,
    /// An option of the account that is neither `true` nor `false`.
    #[error("{0} is true or false")]
    Option(String),
    /// The profile or an option of it is unknown.
    #[error("{0}")]
    Profile(String),
    /// The system gives no random bytes.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
}

/// Makes an account, for the store to add, and its token.
pub fn make(clock: &dyn Clock, request: Request) -> Result<(Account, Token), Unmade> {
    if !is_name(&request.name) {
        return Err(Unmade::Name);
    }
    check_own_options(&request.options)?;
    parse_profile(&request.profile, &request.options).map_err(Unmade::Profile)?;
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(Unmade::Random)?;
    let token = Token(format!("pkr_{}", URL_SAFE_NO_PAD.encode(secret)));
    let Request { name, tenant, profile, options } = request;
    let account =
        Account { name, tenant, profile, options, token_sha256: digest(token.reveal()), created: clock.now() };
    Ok((account, token))
}

/// How a token came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the Authorization header.
    Header,
    /// In the path, which only some accounts allow.
    Path,
}

/// The account of that name, if the token is its. What memory does not prove is looked up on disk: an unknown name, a
/// missing token and a wrong one take the same steps there, one look-up and one comparison in constant time.
pub fn authenticate(intake: &Intake, name: &str, token: Option<&str>, place: Place) -> Result<Option<Known>, Failure> {
    let presented = Presented { digest: digest(token.unwrap_or_default()), is_there: token.is_some(), place };
    if let Some(known) = intake.remembered(name)
        && presented.proves(Some(&known.account))
    {
        return Ok(Some(known));
    }
    let known = intake.known(name)?;
    let proven = presented.proves(known.as_ref().map(|known| &*known.account));
    Ok(known.filter(|_| proven))
}

/// What a relay shows of itself.
struct Presented {
    digest: [u8; 32],
    is_there: bool,
    place: Place,
}

impl Presented {
    fn proves(&self, account: Option<&Account>) -> bool {
        let expected = account.map_or([0; 32], |account| account.token_sha256);
        let same = self.digest.ct_eq(&expected);
        let allowed = account.is_some_and(|account| self.place == Place::Header || is_on(account, TOKEN_IN_PATH));
        (same & Choice::from(u8::from(self.is_there)) & Choice::from(u8::from(allowed))).into()
    }
}

/// In whose name the account's deliveries are taken.
pub fn origin(account: &Account) -> Origin {
    Origin {
        relay: Arc::from(account.name.as_str()),
        tenant: Arc::from(account.tenant.as_str()),
        unauthenticated_sender: is_on(account, UNAUTHENTICATED_SENDER),
    }
}

/// How the account's bodies are read.
pub fn profile(account: &Account) -> Result<Profile, String> {
    parse_profile(&account.profile, &account.options)
}

fn parse_profile(name: &str, options: &BTreeMap<String, String>) -> Result<Profile, String> {
    let mut options = options.clone();
    options.retain(|key, _| !OWN_OPTIONS.contains(&key.as_str()));
    profiles::parse_profile(name, &options)
}

fn check_own_options(options: &BTreeMap<String, String>) -> Result<(), Unmade> {
    let odd = |key: &&str| options.get(*key).is_some_and(|value| value != "true" && value != "false");
    OWN_OPTIONS.into_iter().find(odd).map_or(Ok(()), |key| Err(Unmade::Option(key.to_owned())))
}

fn is_on(account: &Account, option: &str) -> bool {
    account.options.get(option).is_some_and(|value| value == "true")
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests;
